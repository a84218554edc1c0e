// weft.mesh/fault: which requests are held up or refused on purpose, to see how their callers take it. Pure.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "policy/snapshot.h"

namespace weft::policy {

struct FaultDecision {
  Millis delay{0};                 // wait so long first
  std::uint16_t abort_status = 0;  // then answer with this instead of calling; 0: call
  bool operator==(const FaultDecision&) const = default;
};

// For one request. The two are drawn apart, so that of delay=1s@50% and abort=503@50% a quarter meets both.
FaultDecision decide_fault(const FaultInjection& fault, Random& random);

}  // namespace weft::policy
