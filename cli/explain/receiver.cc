#include <algorithm>

#include "base/text.h"
#include "cli/explain/parts.h"
#include "discovery/translate.h"
#include "policy/describe.h"
#include "policy/inbound.h"
#include "policy/rbac.h"

namespace weft::cli {
namespace {

constexpr int status_forbidden = 403;
constexpr int status_bad_request = 400;

// What one receiver is asked.
struct Asked {
  const policy::InboundPolicy& policy;
  const policy::InboundPort& port;
  const std::string& trust_domain;
  const SpiffeId* caller;
  const policy::RbacRequest* request;  // null: opaque TCP

  policy::RbacDecision decide(const policy::PortRules& rules) const { return rules.decide(caller, request); }
};

// Whether a rule on a port of its own, with a default that says the opposite, decides.
bool rule_matches(const Asked& asked, policy::RbacRule rule) {
  const bool audit = rule.action == policy::RbacAction::audit;
  policy::InboundPort port;
  port.rules = {std::move(rule)};
  const policy::PortRules alone(port, policy::DefaultPolicy::allow, asked.trust_domain);
  const policy::RbacDecision decision = asked.decide(alone);
  return audit ? !decision.audited.empty()
               : decision.reason == policy::RbacReason::allowed_by_rule ||
                     decision.reason == policy::RbacReason::denied_by_rule;
}

// Which of its fields keep a rule from matching: alone, they do not match either.
std::string why_not(const Asked& asked, const policy::RbacRule& rule) {
  std::vector<std::string> fields;
  if (!rule.from.empty() && !rule_matches(asked, {rule.name, rule.action, rule.from, {}, {}}))
    fields.emplace_back("from");
  if (!rule.methods.empty() && !rule_matches(asked, {rule.name, rule.action, {}, rule.methods, {}}))
    fields.emplace_back("methods");
  if (!rule.paths.empty() && !rule_matches(asked, {rule.name, rule.action, {}, {}, rule.paths}))
    fields.emplace_back("paths");
  return join(fields, ", ");
}

RuleTrial try_rule(const Asked& asked, const policy::RbacRule& rule) {
  RuleTrial trial{rule.name, policy::describe(rule), rule_matches(asked, rule), {}};
  if (!trial.matches) trial.why_not = why_not(asked, rule);
  return trial;
}

void refuse(ReceiverView& out, int status, std::string_view reason, std::string why) {
  out.allowed = false;
  out.status = status;
  out.reason = reason;
  out.why = std::move(why);
}

void decide(const Asked& asked, bool http, ReceiverView& out) {
  const policy::PortRules rules(asked.port, asked.policy.default_policy, asked.trust_domain);
  const std::string_view alpn = !out.mutual_tls ? "" : http ? "weft-http/1.1" : "weft-tcp";
  const policy::InboundPlan plan = policy::inbound_plan(asked.port.protocol, rules.has_http_rules(), alpn);
  if (plan == policy::InboundPlan::close)
    return refuse(out, 0, "http-rule-on-opaque", "HTTP rules govern this port, and what comes is opaque TCP");
  const policy::RbacDecision decision = asked.decide(rules);
  out.allowed = decision.allowed;
  out.rule = decision.recorded_rule();
  out.why = decision.to_string();
  if (decision.allowed) return;
  if (decision.reason == policy::RbacReason::unsafe_path)
    return refuse(out, status_bad_request, "unsafe-path", decision.to_string());
  refuse(out, http ? status_forbidden : 0, "rbac-denied", decision.to_string());
}

bool past_sidecar(const World& world, const kube::Pod& pod, std::uint16_t port) {
  const auto& excluded = world.state.policies().pod(pod.meta.name_space, pod.meta.name).exclude_inbound_ports;
  return std::any_of(excluded.begin(), excluded.end(),
                     [port](const policy::PortRange& range) { return range.contains(port); });
}

// Everything that two receivers must have in common to be shown as one; rules by what they say, since those
// of a pod bear its name.
std::string common(const ReceiverView& view) {
  std::string out =
      str_cat(view.identity, '|', view.port, '|', view.past, '|', policy::name_of(view.mtls), '|',
              policy::name_of(view.protocol), '|', policy::name_of(view.default_policy), '|',
              view.sidecar ? "s" : "", view.mutual_tls ? "m" : "", view.allowed ? "a" : "");
  for (const RuleTrial& rule : view.rules) out += str_cat('|', rule.rule, rule.matches ? "+" : "-");
  return out;
}

class Receivers {
 public:
  Receivers(const World& world, const OutboundView& outbound, const Caller& caller,
            const codec::RequestHead& head, policy::PathHazard hazard)
      : world_(world),
        outbound_(outbound),
        caller_(caller),
        request_{head.method, std::string_view(head.target).substr(0, head.target.find('?')), hazard} {}

  ReceiverView explain(const policy::Endpoint& endpoint) const {
    ReceiverView out;
    out.workloads = {endpoint.workload.empty() ? endpoint.address.to_string() : endpoint.workload};
    out.port = endpoint.address.port;
    const std::size_t slash = endpoint.workload.find('/');
    const std::string name_space = endpoint.workload.substr(0, slash);
    const std::string name = slash == std::string::npos ? "" : endpoint.workload.substr(slash + 1);
    const kube::Pod* pod = world_.state.index().pod(name_space, name);
    const auto policy = discovery::translate_inbound(world_.state.view(), name_space, name);
    if (!policy || pod == nullptr) return without_sidecar(std::move(out), "it has no sidecar");
    out.identity = policy->identity;
    if (past_sidecar(world_, *pod, out.port))
      return without_sidecar(std::move(out),
                             "weft.mesh/exclude-inbound-ports lets this port go past its sidecar");
    govern(*policy, !endpoint.identity.empty() && caller_.id.has_value(), out);
    return out;
  }

 private:
  static ReceiverView without_sidecar(ReceiverView out, std::string why) {
    out.sidecar = out.mutual_tls = false;
    out.allowed = true;
    out.past = why;
    out.why = std::move(why);
    return out;
  }

  void govern(const policy::InboundPolicy& policy, bool mutual_tls, ReceiverView& out) const {
    const policy::InboundPort& port = policy::inbound_port(policy, out.port);
    out.mutual_tls = mutual_tls;
    out.mtls = port.mtls;
    out.protocol = port.protocol;
    out.default_policy = policy.default_policy;
    const bool opaque = port.protocol == policy::Protocol::tcp || port.protocol == policy::Protocol::tls;
    const bool http = outbound_.http && !opaque;
    const Asked asked{policy, port, world_.mesh.trust_domain, mutual_tls ? &*caller_.id : nullptr,
                      http ? &request_ : nullptr};
    for (const policy::RbacRule& rule : port.rules) out.rules.push_back(try_rule(asked, rule));
    if (!mutual_tls && port.mtls == policy::MtlsMode::strict)
      return refuse(out, outbound_.http ? status_forbidden : 0, "mtls-required",
                    "the port is strict, and the caller comes in plaintext");
    decide(asked, http, out);
  }

  const World& world_;
  const OutboundView& outbound_;
  const Caller& caller_;
  const policy::RbacRequest request_;
};

}  // namespace

std::vector<ReceiverView> explain_receivers(const World& world, const OutboundView& outbound,
                                            const Caller& caller, const codec::RequestHead& head,
                                            policy::PathHazard hazard) {
  const Receivers receivers(world, outbound, caller, head, hazard);
  std::vector<ReceiverView> out;
  for (const EndpointView& one : outbound.endpoints) {
    if (!one.candidate) continue;
    ReceiverView view = receivers.explain(one.endpoint);
    const auto same = std::find_if(
        out.begin(), out.end(), [&view](const ReceiverView& other) { return common(other) == common(view); });
    if (same == out.end())
      out.push_back(std::move(view));
    else
      same->workloads.push_back(view.workloads.front());
  }
  return out;
}

}  // namespace weft::cli
