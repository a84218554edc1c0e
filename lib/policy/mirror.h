// weft.mesh/mirror: which requests are copied, and what the copy says of itself. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "codec/message.h"
#include "policy/snapshot.h"

namespace weft::policy {

// Whether this request is copied. Never one that asks for a tunnel: what follows it is no request.
bool is_mirrored(const Mirror& mirror, const codec::RequestHead& head, Random& random);

// As Envoy marks a copy, for the logs of those that get it: "world:80" becomes "world-shadow:80". An IPv6
// literal cannot be told apart that way and stays.
std::string shadow_authority(std::string_view authority);

// The head of the copy. Its body is sent whole, so nobody has to ask for it.
codec::RequestHead shadow_head(const codec::RequestHead& head);

}  // namespace weft::policy
