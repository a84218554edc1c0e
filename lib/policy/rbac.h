// Who may call a port of this pod. The rules of one port, compiled; a decision costs no allocation unless a
// path has several readings. Immutable after construction: any thread.
//
// Any deny that matches wins; once a port has an allow rule, one must match; else the default policy says. On
// TCP (no request) an allow rule with HTTP fields never matches and a deny rule with them always does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/spiffe_id.h"
#include "policy/path.h"
#include "policy/snapshot.h"

namespace weft::policy {

enum class RbacReason : std::uint8_t {
  allowed_by_rule,
  allowed_by_default,
  denied_by_rule,
  no_allow_rule,      // there are allow rules, and none matches
  not_authenticated,  // default policy `authenticated`, caller without identity
  denied_by_default,
  policy_broken,  // InboundPort::deny_all
  unsafe_path,    // the path has two readings and path rules govern the port: answer 400, not 403
};
std::string_view rbac_reason_name(RbacReason reason);

// The views point into the PortRules that decided.
struct RbacDecision {
  bool allowed = false;
  RbacReason reason = RbacReason::policy_broken;
  std::string_view rule;     // its name, where a rule decided
  std::string_view audited;  // name of the first audit rule that matched; never changes the outcome
  // What a record names: the rule that decided, or the audit rule that matched what was allowed.
  std::string_view recorded_rule() const { return allowed && !audited.empty() ? audited : rule; }
  // One sentence for logs and headers: "denied by rule 'service default/world deny #1'".
  std::string to_string() const;
};

struct RbacRequest {
  std::string_view method;
  std::string_view path;  // NormalTarget::path()
  PathHazard hazard = PathHazard::none;
};

class PortRules {
 public:
  // `trust_domain`: the mesh's own. An identity of another one matches no allow rule but one without `from`.
  PortRules(const InboundPort& port, DefaultPolicy default_policy, std::string_view trust_domain);

  // `caller` null: anonymous. `request` null: TCP.
  RbacDecision decide(const SpiffeId* caller, const RbacRequest* request) const;
  // Whether some HTTP request of this caller could pass: where none could, its connection need not be served.
  bool permits_any_http(const SpiffeId* caller) const;
  // Whether an allow or deny rule looks at HTTP: then opaque TCP to the port is closed.
  bool has_http_rules() const { return has_http_rules_; }
  bool has_path_rules() const { return has_path_rules_; }

 private:
  struct Rule {
    std::string name;
    RbacAction action = RbacAction::allow;
    std::vector<RbacSource> from;
    std::vector<std::string> methods;
    std::vector<PathPattern> paths;
    bool http() const { return !methods.empty() || !paths.empty(); }
  };
  bool from_matches(const Rule& rule, const SpiffeId* caller) const;
  bool http_matches(const Rule& rule, const RbacRequest& request,
                    std::optional<PathReadings>& readings) const;
  RbacDecision by_default(const SpiffeId* caller) const;
  bool mesh_member(const SpiffeId* caller) const {
    return caller != nullptr && caller->trust_domain == trust_domain_;
  }

  std::vector<Rule> rules_;  // deny, then allow, then audit
  std::string trust_domain_;
  DefaultPolicy default_policy_;
  bool deny_all_ = false;
  bool has_allow_ = false;
  bool has_http_rules_ = false;
  bool has_path_rules_ = false;
};

}  // namespace weft::policy
