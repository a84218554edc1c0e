// What nghttp2 leaves to its user when a request head arrives over HTTP/2. Pure; a piece of the HTTP/2 codec.
#pragma once

#include "base/result.h"
#include "codec/message.h"

namespace weft::codec {

// Brings `head` into the form that HTTP/1 heads have as well: the authority in its one place, one Cookie
// field. Errors: invalid, where the request is malformed (RFC 9113 § 8.3.1) or names no host that could be
// forwarded.
Status normalise_http2_request(RequestHead& head);

}  // namespace weft::codec
