// The error codes of HTTP/2 (RFC 9113 § 7).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weft::codec {

enum class Http2Code : std::uint32_t {
  no_error = 0,
  protocol_error = 1,
  internal_error = 2,
  flow_control_error = 3,
  settings_timeout = 4,
  stream_closed = 5,
  frame_size_error = 6,
  refused_stream = 7,
  cancel = 8,
  compression_error = 9,
  connect_error = 10,
  enhance_your_calm = 11,
  inadequate_security = 12,
  http_1_1_required = 13,
};
std::string http2_code_name(Http2Code code);  // "REFUSED_STREAM"; the number for what RFC 9113 does not name
// "the peer broke HTTP/2: " and how.
Error peer_broke(std::string_view how);

}  // namespace weft::codec
