// Which protocol a connection speaks, from its first bytes. Pure and without state: call it again with all
// bytes so far until it says something else than need_more. How long to wait for more is the caller's
// decision.
#pragma once

#include <string_view>

#include "base/result.h"
#include "codec/client_hello.h"

namespace weft::codec {

struct Detection {
  enum class Kind {
    need_more,
    tls,            // a whole ClientHello: `hello`
    http1,          // a request line with a method, a target and HTTP/…; the parser may still refuse it
    http2,          // the whole connection preface (RFC 9113 § 3.4)
    opaque,         // anything else
    malformed_tls,  // began as a ClientHello and is none: `error`
  };
  Kind kind = Kind::need_more;
  ClientHello hello;
  Error error;
};

// Never says need_more to limits::detect_bytes_max bytes or above.
Detection detect(std::string_view first_bytes);

}  // namespace weft::codec
