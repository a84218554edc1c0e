#include "cli/local/endpoints.h"

#include "base/text.h"
#include "cli/local/pod_json.h"

namespace weft::local {
namespace {

std::vector<const EndpointPod*> selected_pods(const EndpointWorld& world, const kube::Service& service) {
  std::vector<const EndpointPod*> pods;
  for (const EndpointPod& pod : world.pods) {
    const bool serves = service.publish_not_ready || (pod.ready && !pod.pod->terminating());
    if (serves && pod.pod->meta.name_space == service.meta.name_space &&
        kube::selects(service.selector, pod.pod->meta.labels)) {
      pods.push_back(&pod);
    }
  }
  return pods;
}

std::vector<Address> endpoints_of(const EndpointWorld& world, const kube::Service& service,
                                  const kube::ServicePort& port, bool v6) {
  std::vector<Address> endpoints;
  for (const EndpointPod* pod : selected_pods(world, service)) {
    const auto target = kube::resolve_port(port.target, pod->pod->spec);
    for (const IpAddress& ip : pod->addresses) {
      if (target && ip.is_v6() == v6) endpoints.push_back({ip, *target});
    }
  }
  if (!service.selector.empty()) return endpoints;
  for (const auto& [key, slice] : world.slices) {
    if (key.first != service.meta.name_space || slice.service != service.meta.name) continue;
    for (const kube::ContainerPort& slice_port : slice.ports) {
      if (slice_port.name != port.name || slice_port.transport != port.transport) continue;
      for (const kube::SliceEndpoint& endpoint : slice.endpoints) {
        for (const IpAddress& ip : endpoint.addresses) {
          if (endpoint.ready && ip.is_v6() == v6) endpoints.push_back({ip, slice_port.port});
        }
      }
    }
  }
  return endpoints;
}

}  // namespace

ServiceRules make_service_rules(const EndpointWorld& world) {
  ServiceRules rules;
  for (const auto& [key, service] : world.services) {
    for (const kube::ServicePort& port : service.ports) {
      if (port.transport != "TCP" && port.transport != "UDP") continue;
      for (const IpAddress& ip : service.cluster_ips) {
        rules.services.push_back(
            {{ip, port.port}, port.transport == "UDP", endpoints_of(world, service, port, ip.is_v6())});
      }
    }
  }
  for (const EndpointPod& pod : world.pods) {
    rules.pods.insert(rules.pods.end(), pod.addresses.begin(), pod.addresses.end());
  }
  return rules;
}

DnsZone make_zone(const EndpointWorld& world) {
  DnsZone zone;
  for (const auto& [key, service] : world.services) {
    DnsRecord record;
    record.addresses = service.cluster_ips;
    record.alias = service.external_name;
    if (service.headless) {
      const Result<ServiceWish> wish = service_wish(service.json);
      for (const EndpointPod* pod : selected_pods(world, service)) {
        for (const IpAddress& address : pod->addresses) {
          if (!wish || (address.is_v6() ? wish->v6 : wish->v4)) record.addresses.push_back(address);
        }
      }
    }
    if (!record.alias.empty()) record.addresses.clear();
    zone.names[ascii_lower(str_cat(key.second, ".", key.first, ".svc.", cluster_domain))] = std::move(record);
  }
  return zone;
}

}  // namespace weft::local
