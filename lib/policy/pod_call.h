// A pod that is called by its own address. Pure.
#pragma once

#include "policy/snapshot.h"

namespace weft::policy {

// What such a call is made by: one endpoint, under time-outs and retries of the Service that governs its port
// (AddressOwner::pod_service; null: none does), but no route and no canary, for the caller chose already.
// REQUIRES: owner.kind is pod.
Service service_of_pod(const AddressOwner& owner, const Service* governing);

}  // namespace weft::policy
