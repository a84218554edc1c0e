#include "kube/objects.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace weft::kube {

const Meta& meta_of(const Object& object) {
  return std::visit([](const auto& value) -> const Meta& { return value.meta; }, object);
}

std::string_view kind_of(const Object& object) {
  // In the order of the variant.
  static constexpr std::array<std::string_view, std::variant_size_v<Object>> names = {
      "Namespace", "Pod", "Deployment", "Service", "ServiceAccount", "ConfigMap", "EndpointSlice"};
  return names[object.index()];
}

std::string describe(const Object& object) {
  const Meta& meta = meta_of(object);
  const std::string& name = meta.name.empty() ? meta.generate_name : meta.name;
  if (meta.name_space.empty()) return str_cat(kind_of(object), " ", name);
  return str_cat(kind_of(object), " ", meta.name_space, "/", name);
}

bool selects(const Labels& selector, const Labels& labels) {
  if (selector.empty()) return false;
  return std::all_of(selector.begin(), selector.end(), [&](const auto& wanted) {
    const auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
}

bool has_sidecar(const Pod& pod) {
  const auto is_sidecar = [](const Container& container) { return container.name == sidecar_container_name; };
  return pod.meta.annotations.contains(std::string(status_annotation)) ||
         std::any_of(pod.spec.containers.begin(), pod.spec.containers.end(), is_sidecar) ||
         std::any_of(pod.spec.init_containers.begin(), pod.spec.init_containers.end(), is_sidecar);
}

std::optional<std::uint16_t> resolve_port(const PortRef& target, const PodSpec& spec) {
  if (target.name.empty()) return target.number;
  for (const auto* containers : {&spec.containers, &spec.init_containers})
    for (const Container& container : *containers)
      for (const ContainerPort& port : container.ports)
        if (port.name == target.name && port.transport == "TCP") return port.port;
  return std::nullopt;
}

policy::Protocol protocol_of(std::string_view app_protocol, std::string_view port_name) {
  using policy::Protocol;
  // Kubernetes' own names (KEP-3726); others with a prefix belong to somebody else.
  if (app_protocol == "kubernetes.io/h2c") return Protocol::http2;
  if (app_protocol == "kubernetes.io/ws") return Protocol::http1;
  if (app_protocol == "kubernetes.io/wss") return Protocol::tls;
  const std::string name = ascii_lower(app_protocol.empty() ? port_name : app_protocol);
  if (name.starts_with("grpc-web")) return Protocol::http1;
  const std::string_view prefix = std::string_view(name).substr(0, name.find('-'));
  static constexpr std::array<std::pair<std::string_view, Protocol>, 10> known = {
      {{"http", Protocol::http1},
       {"http2", Protocol::http2},
       {"grpc", Protocol::grpc},
       {"https", Protocol::tls},
       {"tls", Protocol::tls},
       {"tcp", Protocol::tcp},
       {"mongo", Protocol::tcp},
       {"mysql", Protocol::tcp},
       {"redis", Protocol::tcp},
       {"postgres", Protocol::tcp}}};
  const auto* const found =
      std::find_if(known.begin(), known.end(), [&](const auto& entry) { return entry.first == prefix; });
  return found == known.end() ? Protocol::detect : found->second;
}

}  // namespace weft::kube
