#include "discovery/translate.h"

#include <algorithm>
#include <utility>

#include "base/spiffe_id.h"
#include "base/text.h"
#include "policy/inbound.h"

namespace weft::discovery {
namespace {

using policy::Endpoint;

std::string pod_name(const kube::Pod& pod) { return str_cat(pod.meta.name_space, "/", pod.meta.name); }

const policy::PodSettings& settings_of(const View& view, const kube::Pod& pod) {
  return view.policies.pod(pod.meta.name_space, pod.meta.name);
}

// Whether callers are to use TLS with this pod on this port.
bool takes_tls(const View& view, const kube::Pod& pod, std::uint16_t port) {
  const policy::PodSettings& settings = settings_of(view, pod);
  const bool excluded =
      std::any_of(settings.exclude_inbound_ports.begin(), settings.exclude_inbound_ports.end(),
                  [port](const policy::PortRange& range) { return range.contains(port); });
  const auto mode = policy::effective_mtls(settings, view.policies.name_space(pod.meta.name_space), port);
  return !excluded && mode != policy::MtlsMode::disable;
}

// `service`: through which it is called.
Endpoint endpoint_of(const View& view, const kube::Pod& pod, const Address& address,
                     const policy::ServiceSettings& service) {
  Endpoint out{.address = address,
               .identity = {},
               .subset = {},
               .workload = pod_name(pod),
               .workload_name = pod.workload_name,
               .preserve_case = service.preserve_case || settings_of(view, pod).preserve_case};
  if (takes_tls(view, pod, address.port)) out.identity = identity_of(view, pod);
  const auto subset = pod.meta.labels.find(service.canary_label);
  if (subset != pod.meta.labels.end()) out.subset = subset->second;
  return out;
}

// One address a pod: of the family in which the Service is called, as far as the pod has it.
const IpAddress& address_for(const kube::Pod& pod, const kube::Service& service) {
  if (!service.cluster_ips.empty())
    for (const IpAddress& ip : pod.ips)
      if (ip.is_v6() == service.cluster_ips.front().is_v6()) return ip;
  return pod.ips.front();
}

struct Endpoints {
  std::vector<Endpoint> list;
  bool opaque = false;  // a pod among them declares its port opaque
};

Endpoints endpoints_by_selector(const View& view, const kube::Service& service, const kube::ServicePort& port,
                                const policy::ServiceSettings& settings) {
  Endpoints staying;
  Endpoints leaving;
  for (const kube::Pod* pod : view.index.pods_selected_by(service)) {
    if (pod->ips.empty() || (!pod->ready && !service.publish_not_ready)) continue;
    const auto target = kube::resolve_port(port.target, pod->spec);
    if (!target) continue;
    Endpoints& to = pod->terminating() ? leaving : staying;
    to.list.push_back(endpoint_of(view, *pod, {address_for(*pod, service), *target}, settings));
    const auto protocol =
        policy::effective_protocol(settings_of(view, *pod), policy::Protocol::detect, *target);
    to.opaque = to.opaque || protocol == policy::Protocol::tcp;
  }
  return staying.list.empty() ? leaving : staying;
}

Endpoints endpoints_by_slices(const View& view, const kube::Service& service, const kube::ServicePort& port,
                              const policy::ServiceSettings& settings) {
  Endpoints out;
  for (const kube::EndpointSlice* slice : view.index.slices_of(service)) {
    const auto target =
        std::find_if(slice->ports.begin(), slice->ports.end(), [&](const kube::ContainerPort& entry) {
          return entry.name == port.name && entry.transport == "TCP";
        });
    if (target == slice->ports.end()) continue;
    for (const kube::SliceEndpoint& endpoint : slice->endpoints) {
      if (!endpoint.ready || endpoint.terminating) continue;
      for (const IpAddress& ip : endpoint.addresses) {
        const kube::Pod* pod = view.index.pod_at(ip);
        out.list.push_back(pod != nullptr ? endpoint_of(view, *pod, {ip, target->port}, settings)
                                          : Endpoint{.address = {ip, target->port}});
      }
    }
  }
  return out;
}

const kube::ServicePort* tcp_port(const kube::Service& service, std::uint16_t port) {
  const auto found =
      std::find_if(service.ports.begin(), service.ports.end(), [port](const kube::ServicePort& entry) {
        return entry.transport == "TCP" && (entry.port == port || port == 0);
      });
  return found == service.ports.end() ? nullptr : &*found;
}

// The Service port by which callers of this pod's port are governed: the first by name that leads there.
struct Governing {
  const kube::Service* service = nullptr;
  const kube::ServicePort* port = nullptr;
};
Governing governing(const View& view, const kube::Pod& pod, std::uint16_t target) {
  for (const kube::Service* service : view.index.services_selecting(pod))
    for (const kube::ServicePort& port : service->ports)
      if (port.transport == "TCP" && kube::resolve_port(port.target, pod.spec) == target)
        return {service, &port};
  return {};
}

policy::AddressOwner pod_owner(const View& view, const kube::Pod& pod, policy::AddressOwner out) {
  out.kind = policy::AddressOwner::Kind::pod;
  const policy::ServiceSettings defaults;
  const policy::ServiceSettings* settings = &defaults;
  policy::Protocol declared = policy::Protocol::detect;
  if (const Governing by = governing(view, pod, out.address.port); by.service != nullptr) {
    out.pod_service = service_name(*by.service, by.port->port);
    declared = kube::protocol_of(by.port->app_protocol, by.port->name);
    settings = &view.policies.service(by.service->meta.name_space, by.service->meta.name);
  }
  out.protocol = policy::effective_protocol(settings_of(view, pod), declared, out.address.port);
  out.pod = endpoint_of(view, pod, out.address, *settings);
  return out;
}

}  // namespace

std::string identity_of(const View& view, const kube::Pod& pod) {
  if (!kube::has_sidecar(pod)) return {};
  return SpiffeId{view.mesh.trust_domain, pod.meta.name_space, pod.spec.service_account_name}.to_string();
}

std::string service_name(const kube::Service& service, std::uint16_t port) {
  return str_cat(service.meta.name_space, "/", service.meta.name, ":", port);
}

std::optional<policy::Service> translate_service(const View& view, std::string_view name) {
  const std::size_t slash = name.find('/');
  const std::size_t colon = name.rfind(':');
  if (slash == std::string_view::npos || colon == std::string_view::npos || colon < slash)
    return std::nullopt;
  const auto number = parse_number<std::uint16_t>(name.substr(colon + 1));
  const kube::Service* service =
      view.index.service(name.substr(0, slash), name.substr(slash + 1, colon - slash - 1));
  if (service == nullptr || !number || *number == 0) return std::nullopt;
  const kube::ServicePort* port = tcp_port(*service, *number);
  if (port == nullptr) return std::nullopt;

  const kube::Meta& meta = service->meta;
  const policy::ServiceSettings& settings = view.policies.service(meta.name_space, meta.name);
  policy::Service out;
  out.name = name;
  out.host = str_cat(meta.name, ".", meta.name_space, ".svc.", view.mesh.cluster_domain);
  out.port = port->port;
  for (const IpAddress& ip : service->cluster_ips) out.addresses.push_back({ip, port->port});
  out.timeout = settings.timeout;
  out.retry = settings.retry;
  out.routes = settings.routes;
  out.canary = settings.canary;
  out.fault = settings.fault;
  out.mirror = settings.mirror;
  out.attempts_header = settings.attempts_header;
  out.canary_sticky = settings.canary_sticky;
  out.load_balancer = settings.load_balancer;
  out.outlier = settings.outlier;
  out.limits = settings.limits;
  Endpoints endpoints = service->selector.empty() ? endpoints_by_slices(view, *service, *port, settings)
                                                  : endpoints_by_selector(view, *service, *port, settings);
  out.protocol = endpoints.opaque ? policy::Protocol::tcp : kube::protocol_of(port->app_protocol, port->name);
  out.endpoints = std::move(endpoints.list);
  std::sort(out.endpoints.begin(), out.endpoints.end(),
            [](const Endpoint& a, const Endpoint& b) { return a.address < b.address; });
  return out;
}

policy::AddressOwner translate_address(const View& view, const Address& address) {
  using Kind = policy::AddressOwner::Kind;
  policy::AddressOwner out{.address = address};
  const kube::Service* service = view.index.service_at(address.ip);
  const kube::ServicePort* port = service == nullptr ? nullptr : tcp_port(*service, address.port);
  if (port != nullptr) {
    out.kind = Kind::service;
    out.service = service_name(*service, port->port);
    return out;
  }
  if (const kube::Pod* pod = view.index.pod_at(address.ip)) return pod_owner(view, *pod, std::move(out));
  const bool inside =
      service != nullptr || std::any_of(view.mesh.ranges.begin(), view.mesh.ranges.end(),
                                        [&](const Cidr& range) { return range.contains(address.ip); });
  out.kind = inside ? Kind::unknown_inside : Kind::unknown_outside;
  return out;
}

}  // namespace weft::discovery
