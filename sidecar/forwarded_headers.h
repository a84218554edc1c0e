// What a request says of its way so far, as users of Envoy and Istio know it: x-request-id and
// x-forwarded-proto are added where they are missing and kept where they are there. x-forwarded-for, via and
// the headers of tracing systems are not touched (docs/configuration.md says why).
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "codec/message.h"

namespace weft::sidecar {

// `scheme`: how the request came to us, "http" or "https".
void complete_forwarded_headers(codec::Headers& headers, std::string_view scheme, Random& random);

std::string random_uuid(Random& random);  // version 4 (RFC 9562 § 5.4)

}  // namespace weft::sidecar
