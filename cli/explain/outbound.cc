#include <algorithm>

#include "base/random.h"
#include "cli/explain/parts.h"
#include "policy/caller_key.h"
#include "policy/describe.h"
#include "policy/endpoint_state.h"
#include "policy/route.h"

namespace weft::cli {
namespace {

// Nothing here depends on time: what is ejected is so now.
constexpr MonotonicTime now{std::chrono::hours(1)};

// What a route table chooses, as a value.
struct Choice {
  std::int32_t rule = -1;
  std::string subset;
  std::vector<std::uint32_t> candidates;
};

// Asks the route table of the caller's sidecar, and that of the same Service with less in it: what it then
// chooses shows what each part does.
class Tables {
 public:
  Tables(const policy::Service& service, const std::set<Address>& ejected) : service_(service) {
    // Held here, so that the registry gives every table the same states.
    for (const policy::Endpoint& endpoint : service.endpoints) {
      states_.push_back(registry_.get(endpoint.address));
      if (ejected.contains(endpoint.address)) states_.back()->outlier.eject(now, {});
    }
  }
  bool ejected(std::size_t i) const { return states_[i]->outlier.ejected(now); }

  Choice with_rule_alone(std::size_t i, const codec::RequestHead& head) {
    policy::Service service = service_;
    service.routes = {service_.routes[i]};
    service.canary.clear();
    return choose(std::move(service), &head);
  }
  // Whether the conditions of rule `i` hold, whatever endpoints there are.
  bool holds(std::size_t i, const codec::RequestHead& head) {
    policy::Service service = service_;
    service.routes = {service_.routes[i]};
    service.canary.clear();
    policy::Endpoint endpoint;
    endpoint.subset = service_.routes[i].subset;
    service.endpoints = {endpoint};
    return choose(std::move(service), &head).rule == 0;
  }
  Choice with_part_alone(const policy::WeightedSubset& part) {
    policy::Service service = service_;
    service.routes.clear();
    service.canary = {{part.subset, 1}};
    return choose(std::move(service), nullptr);
  }
  // As it is but for the rules: what weft.mesh/canary-sticky gives a caller whom it tells apart.
  Choice with_canary(const codec::RequestHead& head) {
    policy::Service service = service_;
    service.routes.clear();
    return choose(std::move(service), &head);
  }
  // The endpoint that the whole table picks first. REQUIRES: nothing is left to chance.
  std::optional<std::size_t> first_endpoint(const codec::RequestHead& head) {
    const policy::RouteTable table(std::make_shared<const policy::Service>(service_), registry_);
    SeededRandom random(1);
    const auto picked = table.pick(table.choose(&head, now, random), {}, now, random);
    if (!picked) return std::nullopt;
    return static_cast<std::size_t>(picked->endpoint - table.service().endpoints.data());
  }
  std::vector<std::uint32_t> mirror() {
    const policy::RouteTable table(std::make_shared<const policy::Service>(service_), registry_);
    const policy::RouteChoice chosen = table.mirror();
    return {chosen.candidates().begin(), chosen.candidates().end()};
  }
  Choice without_subsets() {
    policy::Service service = service_;
    service.routes.clear();
    service.canary.clear();
    return choose(std::move(service), nullptr);
  }

 private:
  Choice choose(policy::Service service, const codec::RequestHead* head) {
    const policy::RouteTable table(std::make_shared<const policy::Service>(std::move(service)), registry_);
    SeededRandom random(1);  // no more than one part is ever there to draw from
    const policy::RouteChoice chosen = table.choose(head, now, random);
    return {
        chosen.rule, std::string(chosen.subset), {chosen.candidates().begin(), chosen.candidates().end()}};
  }

  const policy::Service& service_;
  policy::EndpointRegistry registry_;
  std::vector<std::shared_ptr<policy::EndpointState>> states_;
};

// Ejected ones are asked only when no other is left.
void mark(const std::vector<std::uint32_t>& candidates, OutboundView& out) {
  const bool all_ejected = std::all_of(candidates.begin(), candidates.end(),
                                       [&out](std::uint32_t i) { return out.endpoints[i].ejected; });
  for (const std::uint32_t i : candidates)
    out.endpoints[i].candidate = all_ejected || !out.endpoints[i].ejected;
}

// Whether a rule was taken.
bool explain_routes(Tables& tables, const policy::Service& service, const codec::RequestHead& head,
                    OutboundView& out) {
  for (std::size_t i = 0; i < service.routes.size(); ++i) {
    const Choice choice = tables.with_rule_alone(i, head);
    RouteTrial trial{i + 1, policy::describe(service.routes[i]), false, choice.rule == 0};
    trial.matches = trial.taken || tables.holds(i, head);
    out.routes.push_back(trial);
    if (!trial.taken) continue;
    out.subset = choice.subset;
    mark(choice.candidates, out);
    return true;
  }
  return false;
}

std::optional<std::string> caller_in(const policy::CallerKey& key, const codec::RequestHead& head) {
  const auto caller = policy::caller_of(key, head);
  return caller ? std::optional<std::string>(*caller) : std::nullopt;
}

void explain_sticky(Tables& tables, const policy::Service& service, const codec::RequestHead& head,
                    OutboundView& out) {
  if (!service.canary_sticky || service.canary.empty() || !out.http) return;
  StickyView& view = out.sticky.emplace();
  view.key = policy::describe(*service.canary_sticky);
  view.caller = caller_in(*service.canary_sticky, head);
  if (view.caller) view.subset = tables.with_canary(head).subset;
}

// The parts that have an endpoint share what there is by their weights; without any, all endpoints are alike.
void explain_canary(Tables& tables, const policy::Service& service, const codec::RequestHead& head,
                    OutboundView& out) {
  explain_sticky(tables, service, head, out);
  const std::string kept = out.sticky ? out.sticky->subset : std::string();
  std::uint64_t total = 0;
  for (const policy::WeightedSubset& part : service.canary) {
    const Choice choice = tables.with_part_alone(part);
    const bool alive = choice.subset == part.subset;
    out.canary.push_back({part.subset, part.weight, alive ? static_cast<double>(part.weight) : 0});
    if (!alive || part.weight == 0) continue;
    total += part.weight;
    if (kept.empty() || kept == part.subset) mark(choice.candidates, out);
  }
  if (total == 0) return mark(tables.without_subsets().candidates, out);
  for (ShareView& share : out.canary) share.percent = share.percent * 100 / static_cast<double>(total);
}

// Whether chance has no part in which subset is taken.
bool subset_is_certain(const OutboundView& out) {
  const auto shares = std::count_if(out.canary.begin(), out.canary.end(),
                                    [](const ShareView& share) { return share.percent > 0; });
  return !out.subset.empty() || shares <= 1 || (out.sticky && !out.sticky->subset.empty());
}

void explain_steering(Tables& tables, const policy::Service& service, const codec::RequestHead& head,
                      OutboundView& out) {
  SteeringView& view = out.steering.emplace();
  view.balancer = service.load_balancer;
  view.outlier = service.outlier;
  view.ejected_max = service.endpoints.size() * service.outlier.max_percent / 100;
  view.limits = service.limits;
  if (!out.http) return;
  view.fault = service.fault;
  view.mirror = service.mirror;
  const std::vector<std::uint32_t> mirrored = tables.mirror();
  view.mirror_endpoints.reserve(mirrored.size());
  for (const std::uint32_t i : mirrored)
    view.mirror_endpoints.push_back(service.endpoints[i].address.to_string());
  if (service.load_balancer.kind != policy::LoadBalancer::Kind::hash) return;
  view.caller = caller_in(service.load_balancer.key, head);
  if (!view.caller || !subset_is_certain(out)) return;
  if (const auto first = tables.first_endpoint(head))
    view.endpoint = service.endpoints[*first].address.to_string();
}

}  // namespace

OutboundView explain_outbound(const World& world, const policy::Service& service, policy::Protocol protocol,
                              const codec::RequestHead& head, bool sidecar) {
  OutboundView out;
  out.service = service.name;
  out.protocol = protocol;
  out.http = protocol != policy::Protocol::tcp && protocol != policy::Protocol::tls;
  Tables tables(service, sidecar ? world.ejected : std::set<Address>());
  for (std::size_t i = 0; i < service.endpoints.size(); ++i)
    out.endpoints.push_back({service.endpoints[i], false, tables.ejected(i)});
  if (!sidecar) {
    mark(tables.without_subsets().candidates, out);
    return out;
  }
  if (!out.http || !explain_routes(tables, service, head, out)) explain_canary(tables, service, head, out);
  explain_steering(tables, service, head, out);
  out.timeout = service.timeout;
  out.retry = service.retry;
  if (out.http) explain_retries(service, head, out);
  return out;
}

}  // namespace weft::cli
