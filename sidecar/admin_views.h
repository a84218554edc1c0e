// What the admin port shows, as JSON: configuration, endpoints, certificates (never keys). Pure.
#pragma once

#include <string>

#include "kube/workload_identity.h"
#include "sidecar/config_store.h"

namespace weft::sidecar {

// `registry` knows what the workers know of each endpoint. cli/config.cc reads this.
// `started`: the outbound policy where discovery says none.
std::string config_view(const ConfigStore& store, policy::EndpointRegistry& registry, MonotonicTime now,
                        policy::OutboundPolicy started);
std::string endpoints_view(const Config& config, policy::EndpointRegistry& registry, MonotonicTime now);
// [{"spiffe_id": …, "not_before": …, "not_after": …, "serial": …, "roots": […]}]; empty before the first.
std::string certificates_view(const kube::WorkloadCredentials& credentials);

}  // namespace weft::sidecar
