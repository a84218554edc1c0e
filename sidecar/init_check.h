// The proof behind `weft-sidecar init --check`: a connection is really made to an address that nobody answers
// (of the benchmarking ranges, RFC 2544 and RFC 5180), and must arrive at the outbound port with that address
// as its original destination. Where the sidecar holds the port already, that the connection is answered at
// all is the proof. Blocks for a few seconds at most; changes nothing.
//
// Inbound redirection needs a caller outside of the namespace, so there the rules themselves are compared.
#pragma once

#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "sidecar/init_rules.h"

namespace weft::sidecar {

enum class Proof {
  redirected,  // arrived at the outbound port
  no_route,    // nothing of this family can leave the namespace, so nothing was proved
};

// An address of the family that the settings do not exclude. not_found when all candidates are excluded.
Result<Address> probe_target(const RuleSettings& settings, Family family);

// Errors say where the connection went instead.
Result<Proof> prove_outbound(const RuleSettings& settings, Family family);

}  // namespace weft::sidecar
