// What a WebSocket server answers to a client's key (RFC 6455 § 4.2.2).
#pragma once

#include <string>
#include <string_view>

#include "base/text.h"
#include "tls/digest.h"

namespace weft::test {

inline std::string websocket_accept(std::string_view key) {
  return base64_encode(tls::sha1(str_cat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
}

}  // namespace weft::test
