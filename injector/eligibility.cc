#include "injector/eligibility.h"

#include "base/text.h"
#include "policy/annotations.h"

namespace weft::injector {
namespace {

constexpr std::string_view inject_label = "weft.mesh/inject";

std::string_view label_of(const Labels& labels) {
  const auto found = labels.find(std::string(inject_label));
  return found == labels.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace

bool is_exempt_namespace(std::string_view name_space, std::string_view control_plane_namespace) {
  return name_space == "kube-system" || name_space == "kube-node-lease" ||
         name_space == control_plane_namespace;
}

bool selected_for_injection(std::string_view name_space, const Labels& namespace_labels,
                            const Labels& pod_labels, std::string_view control_plane_namespace) {
  if (is_exempt_namespace(name_space, control_plane_namespace)) return false;
  const std::string_view pod_label = label_of(pod_labels);
  if (label_of(namespace_labels) == "enabled") return pod_label != "false";
  return pod_label == "true";
}

Result<std::string> excluded_in_webhook(std::string_view name_space, const Labels& pod_labels,
                                        std::string_view control_plane_namespace) {
  if (is_exempt_namespace(name_space, control_plane_namespace)) {
    return str_cat("namespace ", name_space, " never takes part in the mesh");
  }
  const policy::ReadLabels label = policy::parse_inject_label(policy::ObjectKind::pod, pod_labels);
  if (!label.errors.empty()) return fail(Code::invalid, str_cat("label ", label.errors.front().to_string()));
  if (label.wanted == false) return str_cat("the pod is labelled ", inject_label, "=false");
  return std::string();
}

}  // namespace weft::injector
