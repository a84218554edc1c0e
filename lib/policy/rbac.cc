#include "policy/rbac.h"

#include <algorithm>

#include "base/text.h"

namespace weft::policy {
namespace {

constexpr RbacAction evaluation_order[] = {RbacAction::deny, RbacAction::allow, RbacAction::audit};

bool source_matches(const RbacSource& source, const SpiffeId* caller) {
  if (source.kind == RbacSource::Kind::anonymous) return caller == nullptr;
  if (caller == nullptr) return false;
  if (source.kind == RbacSource::Kind::any_mesh) return true;
  if (source.name_space != caller->name_space) return false;
  return source.kind == RbacSource::Kind::name_space || source.service_account == caller->service_account;
}

}  // namespace

std::string_view rbac_reason_name(RbacReason reason) {
  switch (reason) {
    case RbacReason::allowed_by_rule:
      return "allowed-by-rule";
    case RbacReason::allowed_by_default:
      return "allowed-by-default";
    case RbacReason::denied_by_rule:
      return "denied-by-rule";
    case RbacReason::no_allow_rule:
      return "no-allow-rule-matched";
    case RbacReason::not_authenticated:
      return "not-authenticated";
    case RbacReason::denied_by_default:
      return "denied-by-default";
    case RbacReason::policy_broken:
      return "policy-broken";
    case RbacReason::unsafe_path:
      return "unsafe-path";
  }
  return "unknown";
}

std::string RbacDecision::to_string() const {
  switch (reason) {
    case RbacReason::allowed_by_rule:
      return str_cat("allowed by rule '", rule, "'");
    case RbacReason::allowed_by_default:
      return "allowed by the default policy";
    case RbacReason::denied_by_rule:
      return str_cat("denied by rule '", rule, "'");
    case RbacReason::no_allow_rule:
      return "no allow rule of this port matches";
    case RbacReason::not_authenticated:
      return "the default policy asks for a mesh identity, and the caller has none";
    case RbacReason::denied_by_default:
      return "denied by the default policy, which no allow rule opens";
    case RbacReason::policy_broken:
      return "a rule of this port is broken, so nothing passes: see weft check";
    case RbacReason::unsafe_path:
      return "the path can be read in two ways, and path rules govern this port";
  }
  return "denied";
}

PortRules::PortRules(const InboundPort& port, DefaultPolicy default_policy, std::string_view trust_domain)
    : trust_domain_(trust_domain), default_policy_(default_policy), deny_all_(port.deny_all) {
  for (const RbacAction action : evaluation_order) {
    for (const RbacRule& rule : port.rules) {
      if (rule.action != action) continue;
      Rule& compiled = rules_.emplace_back(Rule{rule.name, rule.action, rule.from, rule.methods, {}});
      for (const std::string& path : rule.paths) compiled.paths.emplace_back(path);
      if (action == RbacAction::audit) continue;
      has_allow_ = has_allow_ || action == RbacAction::allow;
      has_http_rules_ = has_http_rules_ || compiled.http();
      has_path_rules_ = has_path_rules_ || !compiled.paths.empty();
    }
  }
}

bool PortRules::from_matches(const Rule& rule, const SpiffeId* caller) const {
  if (rule.from.empty()) return true;
  // A foreign trust domain may use the same names. That must open nothing, and may well be refused.
  if (rule.action == RbacAction::allow && caller != nullptr && !mesh_member(caller)) return false;
  return std::any_of(rule.from.begin(), rule.from.end(),
                     [caller](const RbacSource& source) { return source_matches(source, caller); });
}

bool PortRules::http_matches(const Rule& rule, const RbacRequest& request,
                             std::optional<PathReadings>& readings) const {
  const bool deny = rule.action == RbacAction::deny;
  if (!rule.methods.empty() &&
      std::none_of(rule.methods.begin(), rule.methods.end(), [&request, deny](const std::string& method) {
        return deny ? equals_ignore_case(method, request.method) : method == request.method;
      })) {
    return false;
  }
  if (rule.paths.empty()) return true;
  // CONNECT has no path to look at: what a deny rule cannot judge it refuses.
  if (!request.path.starts_with('/') && request.path != "*") return deny;
  if (!readings) readings.emplace(request.path);
  const auto some_pattern = [&rule](std::string_view reading, bool loosely) {
    return std::any_of(rule.paths.begin(), rule.paths.end(), [reading, loosely](const PathPattern& pattern) {
      return loosely ? pattern.matches_loosely(reading) : pattern.matches(reading);
    });
  };
  if (rule.action == RbacAction::allow) {
    for (std::size_t i = 0; i < readings->size(); ++i) {
      if (!some_pattern((*readings)[i], false)) return false;
    }
    return true;
  }
  for (std::size_t i = 0; i < readings->size(); ++i) {
    if (some_pattern((*readings)[i], true)) return true;
  }
  return false;
}

RbacDecision PortRules::by_default(const SpiffeId* caller) const {
  if (default_policy_ == DefaultPolicy::allow) return {true, RbacReason::allowed_by_default, {}, {}};
  if (default_policy_ == DefaultPolicy::deny) return {false, RbacReason::denied_by_default, {}, {}};
  if (mesh_member(caller)) return {true, RbacReason::allowed_by_default, {}, {}};
  return {false, RbacReason::not_authenticated, {}, {}};
}

RbacDecision PortRules::decide(const SpiffeId* caller, const RbacRequest* request) const {
  if (deny_all_) return {false, RbacReason::policy_broken, {}, {}};
  std::optional<PathReadings> readings;
  std::optional<RbacDecision> decided;
  if (has_path_rules_ && request != nullptr && request->hazard != PathHazard::none) {
    decided = RbacDecision{false, RbacReason::unsafe_path, {}, {}};
  }
  std::string_view audited;
  for (const Rule& rule : rules_) {
    if (decided && rule.action != RbacAction::audit) continue;
    if (!from_matches(rule, caller)) continue;
    const bool matches = request != nullptr ? http_matches(rule, *request, readings)
                                            : !rule.http() || rule.action == RbacAction::deny;
    if (!matches) continue;
    if (rule.action == RbacAction::audit) {
      audited = rule.name;
      break;
    }
    const bool allow = rule.action == RbacAction::allow;
    decided =
        RbacDecision{allow, allow ? RbacReason::allowed_by_rule : RbacReason::denied_by_rule, rule.name, {}};
  }
  if (!decided) {
    decided = has_allow_ ? RbacDecision{false, RbacReason::no_allow_rule, {}, {}} : by_default(caller);
  }
  decided->audited = audited;
  return *decided;
}

bool PortRules::permits_any_http(const SpiffeId* caller) const {
  if (deny_all_) return false;
  bool allowed = has_allow_ ? false : by_default(caller).allowed;
  for (const Rule& rule : rules_) {
    if (!from_matches(rule, caller)) continue;
    if (rule.action == RbacAction::deny && !rule.http()) return false;
    if (rule.action == RbacAction::allow) allowed = true;
  }
  return allowed;
}

}  // namespace weft::policy
