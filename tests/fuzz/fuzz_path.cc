// Request targets: normalising is idempotent and leaves no dot segment, and no reading of a path that an
// allow rule let through matches a deny rule of the same pattern's outside.
#include <string>

#include "policy/rbac.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace weft::policy;

PortRules rules_with(RbacAction action, const char* path) {
  InboundPort port;
  port.rules = {RbacRule{"rule", action, {}, {}, {path}}};
  return PortRules(port, DefaultPolicy::allow, "cluster.local");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const PortRules allow_public = rules_with(RbacAction::allow, "/public/*");
  static const PortRules deny_admin = rules_with(RbacAction::deny, "/admin/*");
  static const PathPattern admin("/admin/*");

  const std::string target(weft::fuzz::text(data, size));
  const NormalTarget once = normalise_target(target);
  const NormalTarget twice = normalise_target(once.target);
  WEFT_CHECK(once.target == twice.target && once.path_bytes == twice.path_bytes);
  WEFT_CHECK(once.target.size() <= target.size() + 1);
  if (target.starts_with('/') && once.hazard != PathHazard::malformed_percent) {
    const std::string closed = std::string(once.path()) + "/";
    WEFT_CHECK(closed.starts_with('/'));
    WEFT_CHECK(closed.find("/../") == std::string::npos && closed.find("/./") == std::string::npos);
    WEFT_CHECK(once.path().find("//") == std::string_view::npos);
  }

  const RbacRequest request{"GET", once.path(), once.hazard};
  const PathReadings readings(once.path());
  bool some_is_admin = false;
  for (std::size_t i = 0; i < readings.size(); ++i)
    some_is_admin = some_is_admin || admin.matches_loosely(readings[i]);
  if (some_is_admin) {
    WEFT_CHECK(!deny_admin.decide(nullptr, &request).allowed);
    WEFT_CHECK(!allow_public.decide(nullptr, &request).allowed);
  }
  return 0;
}
