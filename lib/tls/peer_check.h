// Whether the certificate a peer showed is the one that was expected. Pure. Internal to lib/tls.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "base/clock.h"
#include "tls/certificate.h"
#include "tls/tls_stream.h"

namespace weft::tls {

struct PeerExpectation {
  Purpose purpose = Purpose::client;  // what the peer is
  std::optional<SpiffeId> identity;   // exactly this one
  std::string server_name;            // and this DNS name; empty: not looked at
};

// A client must have a SPIFFE id of the bundle's trust domain; a server what the expectation names, which
// must name something.
tl::expected<PeerInfo, ChainError> check_peer(const std::vector<Certificate>& chain,
                                              const TrustBundle& bundle, const PeerExpectation& expected,
                                              WallTime now);

}  // namespace weft::tls
