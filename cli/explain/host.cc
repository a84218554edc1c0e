#include <algorithm>

#include "base/text.h"
#include "cli/explain/parts.h"

namespace weft::cli {
namespace {

// Names as cluster DNS knows them, seen from the caller's namespace.
struct ServiceName {
  std::string name_space;
  std::string name;
};
std::optional<ServiceName> service_of(const World& world, std::string_view host, std::string_view from) {
  const std::string lower = ascii_lower(host);
  std::string_view rest = lower;
  if (rest.ends_with('.')) rest.remove_suffix(1);
  const std::string domain = str_cat(".", world.mesh.cluster_domain);
  bool whole = false;
  if (rest.ends_with(domain)) {
    rest.remove_suffix(domain.size());
    whole = true;
  }
  const std::vector<std::string_view> labels = split(rest, '.');
  if (labels.size() == 3 && labels[2] == "svc")
    return ServiceName{std::string(labels[1]), std::string(labels[0])};
  if (whole) return std::nullopt;
  if (labels.size() == 1) return ServiceName{std::string(from), std::string(labels[0])};
  if (labels.size() == 2) return ServiceName{std::string(labels[1]), std::string(labels[0])};
  return std::nullopt;
}

bool has_namespace(const World& world, const std::string& name) {
  return world.state.index().name_space(name) != nullptr ||
         std::any_of(world.services.begin(), world.services.end(),
                     [&name](const kube::Service& service) { return service.meta.name_space == name; });
}

std::string ports_of(const kube::Service& service) {
  std::vector<std::string> out;
  out.reserve(service.ports.size());
  for (const kube::ServicePort& port : service.ports)
    out.push_back(port.name.empty() ? std::to_string(port.port) : str_cat(port.port, " (", port.name, ")"));
  return join(out, ", ");
}

tl::unexpected<Error> unknown_service(const World& world, const ServiceName& wanted,
                                      std::string_view caller_namespace) {
  std::vector<std::string> there;
  there.reserve(world.services.size());
  for (const kube::Service& service : world.services) {
    const bool near = service.meta.name_space == caller_namespace;
    there.push_back(near ? service.meta.name : str_cat(service.meta.name, ".", service.meta.name_space));
  }
  const std::string asked =
      wanted.name_space == caller_namespace ? wanted.name : str_cat(wanted.name, ".", wanted.name_space);
  return fail(Code::not_found, str_cat("no Service ", wanted.name_space, "/", wanted.name, "; there is ",
                                       list_of(std::move(there), asked)));
}

// Cluster DNS gives the pods' own addresses.
Result<Target> headless(const World& world, const kube::Service& service, std::uint16_t port,
                        std::vector<std::string>& notes) {
  for (const kube::Pod* pod : world.state.index().pods_selected_by(service)) {
    if (pod->ips.empty() || (!pod->ready && !service.publish_not_ready)) continue;
    notes.push_back(str_cat("Service ", service.meta.name_space, "/", service.meta.name,
                            " is headless: its name means the pods themselves, so the application chooses, "
                            "not the sidecar; this is for ",
                            pod->meta.name));
    return Target{Address{pod->ips.front(), port}, &service};
  }
  return fail(Code::not_found, str_cat("Service ", service.meta.name_space, "/", service.meta.name,
                                       " is headless and has no ready pod: its name leads nowhere"));
}

}  // namespace

Result<Target> find_target(const World& world, const Question& question, std::vector<std::string>& notes) {
  if (const auto ip = IpAddress::parse(question.host)) return Target{Address{*ip, question.port}, nullptr};
  const std::string from = question.from_namespace.empty() ? "default" : question.from_namespace;
  const auto name = service_of(world, question.host, from);
  const kube::Service* service = name ? world.state.index().service(name->name_space, name->name) : nullptr;
  if (service == nullptr) {
    // "example.com" may be anything; "wrold" or "world.default" can only be meant for a Service.
    const bool outside =
        !name || (question.host.find('.') != std::string::npos && !has_namespace(world, name->name_space));
    if (!outside) return unknown_service(world, *name, from);
    return Target{};
  }
  if (!service->external_name.empty()) {
    notes.push_back(str_cat("Service ", service->meta.name_space, "/", service->meta.name,
                            " is another name for ", service->external_name));
    Question aliased = question;
    aliased.host = service->external_name;
    if (const auto next = service_of(world, aliased.host, from)) {
      const kube::Service* meant = world.state.index().service(next->name_space, next->name);
      if (meant != nullptr && meant->external_name.empty()) return find_target(world, aliased, notes);
    }
    return Target{};
  }
  if (service->headless) return headless(world, *service, question.port, notes);
  if (service->cluster_ips.empty())
    return fail(Code::unavailable, str_cat("Service ", service->meta.name_space, "/", service->meta.name,
                                           " has no ClusterIP yet"));
  const bool known_port =
      std::any_of(service->ports.begin(), service->ports.end(), [&question](const kube::ServicePort& port) {
        return port.port == question.port && port.transport == "TCP";
      });
  if (!known_port)
    notes.push_back(str_cat("Service ", service->meta.name_space, "/", service->meta.name,
                            " has no TCP port ", question.port, "; it has ", ports_of(*service)));
  return Target{Address{service->cluster_ips.front(), question.port}, service};
}

}  // namespace weft::cli
