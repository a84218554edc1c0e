#include "policy/fault.h"

namespace weft::policy {

FaultDecision decide_fault(const FaultInjection& fault, Random& random) {
  FaultDecision decision;
  if (random.happens(fault.delay_percent)) decision.delay = fault.delay;
  if (random.happens(fault.abort_percent)) decision.abort_status = fault.abort_status;
  return decision;
}

}  // namespace weft::policy
