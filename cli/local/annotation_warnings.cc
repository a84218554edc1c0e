#include "cli/local/annotation_warnings.h"

#include "base/text.h"
#include "policy/annotations.h"

namespace weft::local {
namespace {

using policy::AnnotationError;

std::vector<AnnotationError> errors_of(const kube::Service& service) {
  return policy::parse_service_annotations(service.meta.annotations).errors;
}

std::vector<AnnotationError> errors_of(const kube::Namespace& name_space) {
  return policy::errors_of_namespace(name_space.meta.annotations, name_space.meta.labels);
}

std::vector<AnnotationError> errors_of(const kube::Pod& pod) {
  return policy::errors_of_pod(pod.meta.annotations, pod.meta.labels);
}

std::vector<AnnotationError> errors_of(const kube::Deployment& deployment) {
  auto errors = policy::errors_of_pod(deployment.pod_template.annotations, deployment.pod_template.labels);
  for (const auto* written : {&deployment.meta.annotations, &deployment.meta.labels}) {
    for (const auto& [key, value] : *written) {
      if (!key.starts_with(policy::annotation_prefix)) continue;
      errors.push_back({key, 0, "has no meaning on a Deployment: it belongs on the pod template"});
    }
  }
  return errors;
}

// What weft reads no annotations of.
template <class Other>
std::vector<AnnotationError> errors_of(const Other&) {
  return {};
}

}  // namespace

std::vector<std::string> annotation_warnings(const kube::Object& object) {
  std::vector<std::string> warnings;
  for (const AnnotationError& error : std::visit([](const auto& any) { return errors_of(any); }, object)) {
    warnings.push_back(str_cat(kube::describe(object), ": not in force: ", error.to_string()));
  }
  return warnings;
}

}  // namespace weft::local
