// What a response says of the try it answers. Pure.
#pragma once

#include <string_view>

#include "codec/message.h"
#include "policy/retry.h"

namespace weft::sidecar {

// `end`: nothing follows the head, so that a gRPC status in it is the whole answer. `peer_error`:
// x-weft-error of a peer with a verified identity; its sidecar speaks for the application behind it.
policy::TryOutcome outcome_of(const codec::ResponseHead& head, bool end, std::string_view peer_error);

}  // namespace weft::sidecar
