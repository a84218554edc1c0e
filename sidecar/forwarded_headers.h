// What a request says of its way so far, as users of Envoy and Istio know it: x-request-id and
// x-forwarded-proto are added where they are missing and kept where they are there. x-forwarded-for, via and
// the headers of tracing systems are not touched (docs/configuration.md says why).
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "codec/message.h"

namespace weft::sidecar {

inline constexpr std::string_view client_cert_header = "x-forwarded-client-cert";

// `scheme`: how the request came to us, "http" or "https".
void complete_forwarded_headers(codec::Headers& headers, std::string_view scheme, Random& random);

// What only sidecars say of a caller: x-forwarded-client-cert and x-weft-*. Also with '_' for '-': a server
// that makes variables of headers, as CGI does, does not tell the two apart.
void remove_claims(codec::Headers& headers);

std::string random_uuid(Random& random);  // version 4 (RFC 9562 § 5.4)

}  // namespace weft::sidecar
