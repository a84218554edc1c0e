// What of a request says whose it is (weft.mesh/load-balancer hash(…), weft.mesh/canary-sticky): the value of
// a header or of a cookie. Pure; no allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "codec/message.h"
#include "policy/snapshot.h"

namespace weft::policy {

// The first value that is not empty, a view into `head`; nothing where the request has none. header(host) is
// the authority. Names of cookies are told apart by case, those of headers are not (RFC 6265 § 4.1.1, RFC
// 9110 § 5.1).
std::optional<std::string_view> caller_of(const CallerKey& key, const codec::RequestHead& head);

// The share of a weighted set that a caller falls to: the greatest score wins. While weights stay nobody
// moves, and a caller moves from one part to another only if the weight of the new one grew against that of
// the old one; parts that leave and come back move their own callers alone (weighted rendezvous hashing). 0
// for no weight.
double sticky_score(std::uint64_t caller, std::uint64_t part, std::uint32_t weight);

}  // namespace weft::policy
