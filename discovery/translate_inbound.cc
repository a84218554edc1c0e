#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "discovery/translate.h"
#include "policy/inbound.h"

namespace weft::discovery {
namespace {

// A range of opaque ports is written out port by port up to this many; above it only ports count that a
// Service or mtls-ports name.
constexpr unsigned listed_ports_max = 1024;

// What Services say about one port of the pod.
struct Named {
  std::optional<policy::Protocol> protocol;
  std::string service;  // the first by name
  std::vector<policy::RbacRule> rules;
  bool broken = false;
};
using Ports = std::map<std::uint16_t, Named>;

void take(const policy::RuleSettings& from, std::vector<policy::RbacRule>& rules, bool& broken) {
  rules.insert(rules.end(), from.rules.begin(), from.rules.end());
  broken = broken || from.broken;
}

void add_service(const View& view, const kube::Service& service, const kube::Pod& pod, Ports& ports) {
  const policy::ServiceSettings& settings = view.policies.service(service.meta.name_space, service.meta.name);
  std::vector<std::uint16_t> seen;  // two ports of a Service may lead to one target: its rules count once
  for (const kube::ServicePort& port : service.ports) {
    const auto target = kube::resolve_port(port.target, pod.spec);
    if (port.transport != "TCP" || !target) continue;
    Named& named = ports[*target];
    const policy::Protocol declared = kube::protocol_of(port.app_protocol, port.name);
    // Where two Services declare different things, nobody is believed and the bytes decide.
    named.protocol = named.protocol.value_or(declared) == declared ? declared : policy::Protocol::detect;
    if (named.service.empty()) named.service = service_name(service, port.port);
    if (std::find(seen.begin(), seen.end(), *target) != seen.end()) continue;
    seen.push_back(*target);
    take(settings.rbac, named.rules, named.broken);
  }
}

void add_listed(const policy::PodSettings& settings, Ports& ports) {
  for (const policy::PortMode& entry : settings.mtls_ports) ports.try_emplace(entry.port);
  unsigned listed = 0;
  for (const policy::PortRange& range : settings.opaque_ports) {
    const unsigned size = unsigned{range.last} - range.first + 1;
    if (listed + size > listed_ports_max) continue;
    listed += size;
    for (unsigned port = range.first; port <= range.last; ++port)
      ports.try_emplace(static_cast<std::uint16_t>(port));
  }
}

}  // namespace

std::optional<policy::InboundPolicy> translate_inbound(const View& view, std::string_view name_space,
                                                       std::string_view pod_name) {
  const kube::Pod* pod = view.index.pod(name_space, pod_name);
  if (pod == nullptr || !kube::has_sidecar(*pod)) return std::nullopt;
  const policy::PodSettings& settings = view.policies.pod(name_space, pod_name);
  const policy::NamespaceSettings& space = view.policies.name_space(name_space);

  Ports ports;
  ports.try_emplace(0);
  for (const kube::Service* service : view.index.services_selecting(*pod))
    add_service(view, *service, *pod, ports);
  add_listed(settings, ports);

  policy::InboundPolicy out;
  out.workload = str_cat(name_space, "/", pod_name);
  out.workload_name = pod->workload_name;
  out.identity = identity_of(view, *pod);
  out.default_policy = space.default_policy.value_or(policy::DefaultPolicy::allow);
  out.access_log = settings.access_log.value_or(policy::AccessLog::errors);
  out.log_level = settings.log_level.value_or(std::string());
  const policy::Millis longest = limits::drain_timeout_max;
  out.drain_timeout = std::min(settings.drain_timeout.value_or(longest), longest);
  out.tcp_max_age = settings.tcp_max_age;
  out.outbound_policy = policy::effective_outbound(settings, space);
  out.preserve_case = settings.preserve_case;
  for (auto& [number, named] : ports) {
    policy::InboundPort port{.port = number};
    port.mtls = policy::effective_mtls(settings, space, number);
    port.protocol =
        policy::effective_protocol(settings, named.protocol.value_or(policy::Protocol::detect), number);
    port.service = std::move(named.service);
    port.rules = std::move(named.rules);
    port.deny_all = named.broken;
    take(settings.rbac, port.rules, port.deny_all);
    take(space.rbac, port.rules, port.deny_all);
    out.ports.push_back(std::move(port));
  }
  return out;
}

}  // namespace weft::discovery
