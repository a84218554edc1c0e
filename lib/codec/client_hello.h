// The first message of a TLS connection, read without TLS: for routing by server name and telling mesh TLS
// from the application's own. Pure; bytes from anybody.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weft::codec {

struct ClientHello {
  std::string server_name;        // SNI, lower case; empty where none was sent (RFC 6066 § 3)
  std::vector<std::string> alpn;  // in the client's order (RFC 7301)
  bool offers_alpn(std::string_view protocol) const;
};

struct ClientHelloResult {
  enum class Kind { need_more, complete, malformed };
  Kind kind = Kind::need_more;
  ClientHello hello;  // where complete
  Error error;        // where malformed
};

// Looks at all bytes that have come so far, from the first record on, however the message is fragmented over
// records (RFC 8446 § 5.1). Never needs more than limits::detect_bytes_max bytes: what would is malformed.
ClientHelloResult parse_client_hello(std::string_view bytes);

}  // namespace weft::codec
