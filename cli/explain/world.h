// What `weft explain` decides on: discovery's own State, out of manifests or of what a mesh that runs serves.
// Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "discovery/policy_objects.h"
#include "discovery/state.h"
#include "kube/objects.h"

namespace weft::cli {

// A wrong annotation, and the last good value that is in force in its place, if there is one.
struct WrongAnnotation {
  std::string object;  // "Service default/world"
  policy::AnnotationError error;
  std::optional<std::string> in_force;
};

struct World {
  discovery::MeshOptions mesh;
  discovery::State state{mesh};
  std::vector<kube::Pod> pods;  // in order of name
  std::vector<kube::Service> services;
  std::set<std::pair<std::string, std::string>> service_accounts;  // namespace, name: as declared
  std::vector<WrongAnnotation> wrong;
  std::vector<std::string> notes;  // what was assumed
  std::set<Address> ejected;       // endpoints that the caller's sidecar leaves out at the moment
};

// `wrong`: as discovery tells it; what it holds is in force here as well. Without it (manifests) nothing is
// known of earlier values.
World make_world(const std::vector<kube::Object>& objects,
                 const std::vector<discovery::PolicyObjects::Wrong>& wrong = {});

}  // namespace weft::cli
