// A Service as the workers use it: its route table, compiled once when the configuration arrives, and its
// retry budget, which outlives changes of the configuration. Immutable but for atomics; shared by all
// workers.
#pragma once

#include <memory>

#include "policy/endpoint_state.h"
#include "policy/retry.h"
#include "policy/route.h"
#include "policy/snapshot.h"

namespace weft::sidecar {

struct ServiceState {
  policy::RouteTable table;
  std::shared_ptr<policy::RetryBudget> budget;

  const policy::Service& config() const { return table.service(); }
};

// `before` (may be null) hands its budget on.
std::shared_ptr<const ServiceState> make_service_state(policy::Service service,
                                                       policy::EndpointRegistry& registry,
                                                       const ServiceState* before);

}  // namespace weft::sidecar
