// What others see of a pod.
#include <fcntl.h>

#include "base/text.h"
#include "cli/local/pod.h"
#include "cli/local/pod_json.h"

namespace weft::local {

Status Pod::annotate(const std::vector<AnnotationChange>& changes) {
  WEFT_ASSIGN(const std::string json, annotated_json(pod_.json, changes));
  WEFT_ASSIGN(kube::Pod changed, kube::parse_pod(json, origin_.name_space));
  // The runners refer to the spec as it is; only what was asked for changes.
  pod_.json = json;
  pod_.meta.annotations = std::move(changed.meta.annotations);
  return {};
}

UniqueFd Pod::duplicate_network() const { return UniqueFd(::fcntl(network_.get(), F_DUPFD_CLOEXEC, 0)); }

unsigned Pod::restarts() const {
  unsigned sum = 0;
  for (const auto* list : {&init_runners_, &runners_}) {
    for (const auto& runner : *list) sum += runner->restarts();
  }
  return sum;
}

std::string Pod::waiting_for() const {
  if (ready_) return {};
  if (!started_) return "the control plane";
  const bool under_way = phase_ == Phase::initializing || phase_ == Phase::running;
  if (!problem_.empty() || !under_way) return problem_;
  for (const auto* list : {&init_runners_, &runners_}) {
    if (list == &runners_ && phase_ == Phase::initializing) break;  // not their turn yet
    for (const auto& runner : *list) {
      const bool counts = list == &runners_ || runner->container().is_native_sidecar();
      if (!counts || runner->ready()) continue;
      std::string why = str_cat("container ", runner->container().name);
      if (runner->state() == ContainerRunner::State::backing_off) {
        why += str_cat(" ended with ", runner->exit_code(), " and will be started again");
      } else if (const std::string probe = runner->failing_probe(); !probe.empty()) {
        why += str_cat(": ", probe);
      } else if (!runner->last_problem().empty()) {
        why += str_cat(": ", runner->last_problem());
      }
      return why;
    }
  }
  return {};
}

const ContainerRunner* Pod::find(std::string_view container) const {
  if (container.empty()) {
    for (const auto& runner : runners_) {
      if (runner->container().name != kube::sidecar_container_name) return runner.get();
    }
  }
  for (const auto* list : {&runners_, &init_runners_}) {
    for (const auto& runner : *list) {
      if (runner->container().name == container) return runner.get();
    }
  }
  return nullptr;
}

std::vector<std::string> Pod::container_names() const {
  std::vector<std::string> names;
  for (const auto* list : {&runners_, &init_runners_}) {
    for (const auto& runner : *list) names.push_back(runner->container().name);
  }
  return names;
}

std::string Pod::status_json() const {
  PodStatus status;
  status.deletion_timestamp = pod_.meta.deletion_timestamp;
  status.ready = ready_;
  status.phase = phase_ == Phase::completed           ? "Succeeded"
                 : phase_ == Phase::running || ready_ ? "Running"
                                                      : "Pending";
  if (network_) status.addresses = addresses();
  return pod_status_json(pod_.json, status);
}

}  // namespace weft::local
