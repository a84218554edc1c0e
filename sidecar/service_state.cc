#include "sidecar/service_state.h"

namespace weft::sidecar {

std::shared_ptr<const ServiceState> make_service_state(policy::Service service,
                                                       policy::EndpointRegistry& registry,
                                                       const ServiceState* before) {
  auto load = before ? before->load : std::make_shared<policy::ServiceLoad>();
  auto shared = std::make_shared<const policy::Service>(std::move(service));
  return std::make_shared<const ServiceState>(
      ServiceState{policy::RouteTable(std::move(shared), registry), std::move(load)});
}

}  // namespace weft::sidecar
