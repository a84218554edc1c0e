#include "policy/pod_call.h"

namespace weft::policy {

Service service_of_pod(const AddressOwner& owner, const Service* governing) {
  Service service;
  if (governing != nullptr) service = *governing;
  service.name = owner.pod_service.empty() ? owner.pod.workload : owner.pod_service;
  service.addresses.clear();
  service.routes.clear();
  service.canary.clear();
  service.mirror = {};
  service.endpoints = {owner.pod};
  return service;
}

}  // namespace weft::policy
