#include <algorithm>

#include "base/text.h"
#include "cli/explain/parts.h"
#include "policy/inbound.h"

namespace weft::cli {
namespace {

std::string name_of(const kube::Pod& pod) { return str_cat(pod.meta.name_space, "/", pod.meta.name); }

bool runs_as(const kube::Pod& pod, const Question& question) {
  return pod.meta.name_space == question.from_namespace &&
         pod.spec.service_account_name == question.from_account && pod.phase != "Succeeded" &&
         pod.phase != "Failed";
}

// Where no annotation says so: the injector writes it into the sidecar's environment.
bool started_registry_only(const kube::Pod& pod) {
  for (const auto* list : {&pod.spec.init_containers, &pod.spec.containers}) {
    for (const kube::Container& container : *list) {
      if (container.name != kube::sidecar_container_name) continue;
      for (const kube::EnvironmentVariable& variable : container.env)
        if (variable.name == "WEFT_OUTBOUND_POLICY") return variable.value == "registry-only";
    }
  }
  return false;
}

bool is_registry_only(const World& world, const Question& question, const kube::Pod* pod) {
  const discovery::PolicyObjects& policies = world.state.policies();
  static const policy::PodSettings none;
  const policy::PodSettings& own = pod == nullptr ? none : policies.pod(pod->meta.name_space, pod->meta.name);
  const auto told = policy::effective_outbound(own, policies.name_space(question.from_namespace));
  if (told) return *told == policy::OutboundPolicy::registry_only;
  return pod != nullptr && started_registry_only(*pod);
}

void note_nobody(const World& world, const Question& question, std::vector<std::string>& notes) {
  const std::string name = str_cat(question.from_namespace, "/", question.from_account);
  const bool declared = world.service_accounts.contains({question.from_namespace, question.from_account}) ||
                        question.from_account == "default";
  std::vector<std::string> known;
  known.reserve(world.service_accounts.size() + world.pods.size());
  for (const auto& [name_space, account] : world.service_accounts)
    known.push_back(str_cat(name_space, "/", account));
  for (const kube::Pod& pod : world.pods)
    known.push_back(str_cat(pod.meta.name_space, "/", pod.spec.service_account_name));
  std::string text = declared
                         ? str_cat("no pod runs as ", name)
                         : str_cat("no ServiceAccount ", name, " is known, and no pod runs as it; there is ",
                                   list_of(std::move(known), name));
  notes.push_back(text.append(": decided as if a pod with a sidecar did"));
}

}  // namespace

Caller find_caller(const World& world, const Question& question, std::vector<std::string>& notes) {
  Caller caller;
  if (question.from_account.empty()) {
    caller.view.name = "anonymous";
    return caller;
  }
  caller.view.name = str_cat(question.from_namespace, "/", question.from_account);
  std::size_t meshed = 0;
  std::size_t all = 0;
  for (const kube::Pod& pod : world.pods) {
    if (!runs_as(pod, question)) continue;
    ++all;
    const bool sidecar = kube::has_sidecar(pod);
    meshed += sidecar ? 1 : 0;
    const bool better = caller.pod == nullptr || (sidecar && !kube::has_sidecar(*caller.pod)) ||
                        (sidecar && pod.ready && !caller.pod->ready);
    if (better) caller.pod = &pod;
  }
  if (all == 0) note_nobody(world, question, notes);
  if (all > 0 && meshed == 0) {
    notes.push_back(str_cat("the pods of ", caller.view.name, " have no sidecar (", name_of(*caller.pod),
                            "): they call as anonymous, in plaintext, and what callers' sidecars do does not "
                            "apply"));
    return caller;
  }
  if (meshed > 0 && meshed < all)
    notes.push_back(str_cat(all - meshed, " of ", all, " pods of ", caller.view.name,
                            " have no sidecar: those call as anonymous"));
  caller.id = SpiffeId{world.mesh.trust_domain, question.from_namespace, question.from_account};
  caller.outbound_sidecar = true;
  caller.view.identity = caller.id->to_string();
  if (caller.pod != nullptr) caller.view.pod = name_of(*caller.pod);
  caller.registry_only = is_registry_only(world, question, caller.pod);
  return caller;
}

void apply_exclusions(const World& world, const Address& to, Caller& caller,
                      std::vector<std::string>& notes) {
  if (caller.pod == nullptr || !caller.outbound_sidecar) return;
  const policy::PodSettings& settings =
      world.state.policies().pod(caller.pod->meta.name_space, caller.pod->meta.name);
  const auto& ports = settings.exclude_outbound_ports;
  const auto& ranges = settings.exclude_outbound_cidrs;
  const bool by_port = std::any_of(ports.begin(), ports.end(),
                                   [&to](const policy::PortRange& range) { return range.contains(to.port); });
  const bool by_address =
      std::any_of(ranges.begin(), ranges.end(), [&to](const Cidr& range) { return range.contains(to.ip); });
  if (!by_port && !by_address) return;
  notes.push_back(str_cat("weft.mesh/exclude-outbound-", by_port ? "ports" : "cidrs", " of pod ",
                          name_of(*caller.pod),
                          " lets this connection go past the sidecar: it is plaintext and anonymous"));
  caller.outbound_sidecar = false;
  caller.id.reset();
  caller.view.identity.clear();
}

}  // namespace weft::cli
