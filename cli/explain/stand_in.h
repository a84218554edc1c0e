// Manifests as they would be once applied: a pod for each replica, injected where the webhook would,
// addresses, everything ready. Stands in for API server and kubelet where no mesh runs. Pure.
#pragma once

#include <string>
#include <vector>

#include "kube/objects.h"

namespace weft::cli {

struct AsApplied {
  std::vector<kube::Object> objects;
  std::vector<std::string> notes;  // what would not come up, and why
};
AsApplied as_applied(const std::vector<kube::Object>& manifests);

}  // namespace weft::cli
