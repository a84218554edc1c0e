#include "cli/local/control_plane.h"

namespace weft::local {

std::vector<kube::Object> control_plane_objects(const StateFolder&) { return {}; }

}  // namespace weft::local
