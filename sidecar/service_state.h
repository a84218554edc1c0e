// A Service as the workers use it: its route table, compiled once when the configuration arrives, and its
// load, which outlives changes of the configuration. Immutable but for atomics; shared by all workers.
#pragma once

#include <memory>

#include "policy/endpoint_state.h"
#include "policy/route.h"
#include "policy/service_load.h"
#include "policy/snapshot.h"

namespace weft::sidecar {

struct ServiceState {
  policy::RouteTable table;
  std::shared_ptr<policy::ServiceLoad> load;

  const policy::Service& config() const { return table.service(); }
  const policy::ServiceLimits& limits() const { return config().limits; }
};

// `before` (may be null) hands its load on.
std::shared_ptr<const ServiceState> make_service_state(policy::Service service,
                                                       policy::EndpointRegistry& registry,
                                                       const ServiceState* before);

}  // namespace weft::sidecar
