// Wrong annotations and what is in force in their place, as JSON: discovery's loopback page
// /annotations, for `weft explain`. Both directions in one place. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "discovery/policy_objects.h"

namespace weft::discovery {

std::string wrong_view(const std::vector<PolicyObjects::Wrong>& wrong);
Result<std::vector<PolicyObjects::Wrong>> parse_wrong_view(std::string_view json);

}  // namespace weft::discovery
