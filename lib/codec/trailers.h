// What may not stand behind a message, in either version of HTTP. Pure.
#pragma once

#include <string_view>

#include "codec/message.h"

namespace weft::codec {

// The first field of `trailers` that frames or addresses the message, which is decided before its body
// (RFC 9110 § 6.5.1); empty: there is none.
inline std::string_view misplaced_in_trailers(const Headers& trailers) {
  for (const std::string_view name : {"content-length", "transfer-encoding", "host"}) {
    if (trailers.has(name)) return name;
  }
  return {};
}

}  // namespace weft::codec
