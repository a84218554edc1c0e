#include <algorithm>

#include "base/random.h"
#include "base/text.h"
#include "cli/explain/parts.h"
#include "policy/describe.h"
#include "policy/endpoint_state.h"
#include "policy/retry.h"
#include "policy/route.h"

namespace weft::cli {
namespace {

using policy::TryEnd;

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

// The parts that have an endpoint share what there is by their weights; without any, all endpoints are alike.
void explain_canary(Tables& tables, const policy::Service& service, OutboundView& out) {
  std::uint64_t total = 0;
  for (const policy::WeightedSubset& part : service.canary) {
    const Choice choice = tables.with_part_alone(part);
    const bool alive = choice.subset == part.subset;
    out.canary.push_back({part.subset, part.weight, alive ? static_cast<double>(part.weight) : 0});
    if (!alive || part.weight == 0) continue;
    total += part.weight;
    mark(choice.candidates, out);
  }
  if (total == 0) return mark(tables.without_subsets().candidates, out);
  for (ShareView& share : out.canary) share.percent = share.percent * 100 / static_cast<double>(total);
}

// How often one kind of failure is tried again, and what allows it.
RetryView trial(const policy::RetryPolicy& retry, const codec::RequestHead& head, bool grpc,
                std::string failure, const policy::TryOutcome& outcome, bool other_endpoint) {
  RetryView out{std::move(failure), {}, 0};
  SeededRandom random(1);
  policy::RetryBudget budget;
  policy::BudgetUse use(budget);
  policy::RetryState state(retry, head.method, grpc);
  policy::TrySituation situation;
  situation.other_endpoint = other_endpoint;
  for (auto decision = state.after(outcome, situation, use, random); decision.retry;
       decision = state.after(outcome, situation, use, random)) {
    out.allowed = policy::retry_class_name(decision.why);
    ++out.times;
  }
  return out;
}

void explain_retries(const policy::Service& service, const codec::RequestHead& head, OutboundView& out) {
  const auto type = head.headers.get("content-type");
  const bool grpc = type && type->starts_with("application/grpc");
  struct Failure {
    const char* text;
    policy::TryOutcome outcome;
  };
  const auto ended = [](TryEnd end) {
    policy::TryOutcome outcome;
    outcome.end = end;
    outcome.never_delivered = end == TryEnd::connect_failure;
    return outcome;
  };
  const auto answered = [](std::uint16_t status) {
    policy::TryOutcome outcome;
    outcome.status = status;
    return outcome;
  };
  const auto grpc_answered = [&answered](std::uint32_t status) {
    policy::TryOutcome outcome = answered(200);
    outcome.grpc_status = status;
    return outcome;
  };
  std::vector<Failure> failures{{"no connection", ended(TryEnd::connect_failure)},
                                {"connection reset before a response", ended(TryEnd::reset)}};
  if (service.retry.per_try_timeout) failures.push_back({"per-try time-out", ended(TryEnd::per_try_timeout)});
  if (grpc) {
    failures.push_back({"gRPC UNAVAILABLE", grpc_answered(14)});
    failures.push_back({"gRPC RESOURCE_EXHAUSTED", grpc_answered(8)});
    failures.push_back({"gRPC INTERNAL", grpc_answered(13)});
    failures.push_back({"gRPC CANCELLED", grpc_answered(1)});
    failures.push_back({"gRPC DEADLINE_EXCEEDED", grpc_answered(4)});
  } else {
    failures.push_back({"502, 503, 504", answered(503)});
    failures.push_back({"500", answered(500)});
    failures.push_back({"409", answered(409)});
  }
  const bool other = service.endpoints.size() > 1;
  for (const Failure& one : failures)
    out.retries.push_back(trial(service.retry, head, grpc, one.text, one.outcome, other));
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
  if (!out.http || !explain_routes(tables, service, head, out)) explain_canary(tables, service, out);
  out.timeout = service.timeout;
  out.retry = service.retry;
  if (out.http) explain_retries(service, head, out);
  return out;
}

}  // namespace weft::cli
