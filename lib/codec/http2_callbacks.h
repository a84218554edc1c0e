// How nghttp2 and an Http2Session call each other. For http2.cc alone: nothing of nghttp2 goes further.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "codec/http2.h"

namespace weft::codec {

// The ping whose answer says that a server's first GOAWAY has arrived.
inline constexpr std::uint64_t shut_down_ping = 0x77656674'676f6f64;

inline std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// They point into `name`, `value` and `headers`; nghttp2 copies what it is given.
nghttp2_nv http2_field(std::string_view name, std::string_view value);
void add_http2_fields(std::vector<nghttp2_nv>& out, const Headers& headers);

// What nghttp2 makes of the peer's bytes becomes events of `session`. The caller deletes it.
nghttp2_session* make_nghttp2_session(Http2Session& session, bool server);
// Takes a body from the queue of its stream.
nghttp2_data_provider http2_body_provider();

}  // namespace weft::codec
