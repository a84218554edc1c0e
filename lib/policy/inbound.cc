#include "policy/inbound.h"

#include <algorithm>

#include "base/check.h"

namespace weft::policy {

const InboundPort& inbound_port(const InboundPolicy& policy, std::uint16_t port) {
  WEFT_CHECK(!policy.ports.empty());
  const auto found =
      std::lower_bound(policy.ports.begin(), policy.ports.end(), port,
                       [](const InboundPort& entry, std::uint16_t wanted) { return entry.port < wanted; });
  return found != policy.ports.end() && found->port == port ? *found : policy.ports.front();
}

MtlsMode effective_mtls(const PodSettings& pod, const NamespaceSettings& name_space, std::uint16_t port) {
  for (const PortMode& entry : pod.mtls_ports) {
    if (entry.port == port) return entry.mode;
  }
  if (pod.mtls) return *pod.mtls;
  return name_space.mtls.value_or(MtlsMode::permissive);
}

std::optional<OutboundPolicy> effective_outbound(const PodSettings& pod,
                                                 const NamespaceSettings& name_space) {
  return pod.outbound_policy ? pod.outbound_policy : name_space.outbound_policy;
}

Protocol effective_protocol(const PodSettings& pod, Protocol declared, std::uint16_t port) {
  const bool opaque = std::any_of(pod.opaque_ports.begin(), pod.opaque_ports.end(),
                                  [port](const PortRange& range) { return range.contains(port); });
  return opaque ? Protocol::tcp : declared;
}

InboundPlan inbound_plan(Protocol declared, bool has_http_rules, std::string_view alpn) {
  const InboundPlan opaque = has_http_rules ? InboundPlan::close : InboundPlan::opaque;
  if (declared == Protocol::tcp || declared == Protocol::tls || alpn == "weft-tcp") return opaque;
  if (alpn == "weft-http/1.1" || alpn == "http/1.1") return InboundPlan::http1;
  if (alpn == "weft-h2" || alpn == "h2") return InboundPlan::http2;
  if (is_http(declared)) return InboundPlan::http;
  return InboundPlan::detect;
}

}  // namespace weft::policy
