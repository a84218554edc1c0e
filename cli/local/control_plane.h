// The control plane of a local mesh, as the API objects that a cluster would have: Deployments and Services
// in weft-system, run like any other pod. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cli/local/node.h"
#include "kube/objects.h"

namespace weft::local {

inline constexpr const char* control_plane_namespace = "weft-system";
inline constexpr std::string_view ca_name = "weft-ca";
inline constexpr std::string_view discovery_name = "weft-discovery";
inline constexpr std::string_view injector_name = "weft-injector";
inline constexpr std::uint16_t injector_port = 15017;

std::vector<kube::Object> control_plane_objects(const StateFolder& folder);

}  // namespace weft::local
