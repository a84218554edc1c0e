// `weft config POD`: what a pod's sidecar holds.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/local/verbs.h"

namespace weft::cli {

struct ConfigOptions {
  local::Target target;
  std::string pod;
  std::string output;  // "json", or empty for people
};
int config(const ConfigOptions& options);

// The page /config of a sidecar's admin port (sidecar/admin_views.h), as tables. Pure.
Result<std::string> config_tables(std::string_view page);

}  // namespace weft::cli
