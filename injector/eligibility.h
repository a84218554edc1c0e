// Which pods get a sidecar: the label weft.mesh/inject on the Namespace ("enabled", "disabled"),
// which the same label on the pod ("true", "false") overrides. kube-system, kube-node-lease and weft's own
// namespace never take part. Pure.
//
// In a cluster the API server decides, by the selectors of two webhook entries, and calls /inject for what
// they select; `weft local` stands in for it with selected_for_injection(). The webhook sees no labels of the
// Namespace, so excluded_in_webhook() checks again what it can: the namespace's name and the pod's label.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weft::injector {

using Labels = std::map<std::string, std::string>;

bool is_exempt_namespace(std::string_view name_space, std::string_view control_plane_namespace);

// Whether one of the two entries selects the pod. A wrong pod label in an enabled namespace is selected, so
// that the webhook can say what is wrong with it.
bool selected_for_injection(std::string_view name_space, const Labels& namespace_labels,
                            const Labels& pod_labels, std::string_view control_plane_namespace);

// Why a pod that reached the webhook is left alone; empty: it is not. Errors: a label with a wrong value.
Result<std::string> excluded_in_webhook(std::string_view name_space, const Labels& pod_labels,
                                        std::string_view control_plane_namespace);

}  // namespace weft::injector
