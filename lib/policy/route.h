// From a Service's snapshot to one endpoint: rules, weighted subsets, then the balancer. Compiled once when
// the snapshot arrives; a choice costs no allocation. Immutable but for the balancers' atomics: any thread.
// An exchange holds its table to its end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "codec/message.h"
#include "policy/balance.h"
#include "policy/regex.h"
#include "policy/snapshot.h"

namespace weft::policy {

// The view and the pointer point into the table.
struct RouteChoice {
  std::string_view subset;             // empty: all endpoints alike
  const Balancer* balancer = nullptr;  // of the endpoints to choose from: none only when the Service has none
  std::int32_t rule = -1;              // index of the weft.mesh/routes rule that matched
  std::uint64_t caller = 0;            // whose request it is, for hash(…); random where nothing says so

  std::span<const std::uint32_t> candidates() const {
    return balancer == nullptr ? std::span<const std::uint32_t>() : balancer->candidates();
  }
};

struct EndpointChoice {
  const Endpoint* endpoint = nullptr;
  EndpointState* state = nullptr;
};

class RouteTable {
 public:
  RouteTable(std::shared_ptr<const Service> service, EndpointRegistry& registry);

  const Service& service() const { return *service_; }

  // The first rule that matches and whose subset has an endpoint that is not passed over; else by weight
  // among such subsets, for callers that weft.mesh/canary-sticky tells apart always the same; else all
  // endpoints: a Service with an endpoint always has an answer. `head` null: TCP, which no rule matches.
  // REQUIRES: head->target is normalised (path.h).
  RouteChoice choose(const codec::RequestHead* head, MonotonicTime now, Random& random) const {
    return choose(head, {}, now, random);
  }
  // Where a request goes on that has reached no application: by the same choice while that has an endpoint to
  // hope for, else as if those that were tried were gone.
  RouteChoice elsewhere(const RouteChoice& choice, const codec::RequestHead* head,
                        const TriedEndpoints& tried, MonotonicTime now, Random& random) const;

  // Nothing only when there are no candidates. The caller counts it with ActiveRequest and adds it to
  // `tried`.
  std::optional<EndpointChoice> pick(const RouteChoice& choice, const TriedEndpoints& tried,
                                     MonotonicTime now, Random& random) const;
  // Where copies for weft.mesh/mirror go; no candidates: nowhere. Whose request it is, is the caller's to
  // say.
  RouteChoice mirror() const;
  bool has_untried(const RouteChoice& choice, const TriedEndpoints& tried) const;

  // What became of a try. True when it ejected the endpoint (for log and metric).
  bool report(EndpointState& endpoint, Health health, MonotonicTime now) const;

 private:
  struct Condition {
    RouteCondition condition;
    std::optional<Regex> regex;
  };
  struct Rule {
    std::vector<Condition> conditions;
    std::uint32_t group = 0;
    std::int32_t index = 0;  // in the annotation
  };
  struct Group {
    std::string subset;
    std::uint64_t hash = 0;    // of the subset's name
    std::uint32_t weight = 0;  // 0: no part of the canary
    Balancer balancer;
  };

  std::uint32_t group_of(const std::string& subset);
  RouteChoice choose(const codec::RequestHead* head, const TriedEndpoints& tried, MonotonicTime now,
                     Random& random) const;
  bool alive(const Balancer& balancer, const TriedEndpoints& tried, MonotonicTime now) const;
  static bool matches(const Condition& condition, const codec::RequestHead& head);
  RouteChoice choose_group(const codec::RequestHead* head, const TriedEndpoints& tried, MonotonicTime now,
                           Random& random) const;
  const Group* weighted_group(const codec::RequestHead* head, const TriedEndpoints& tried, MonotonicTime now,
                              Random& random) const;

  std::shared_ptr<const Service> service_;
  EndpointStates states_;  // as service_->endpoints
  std::vector<Rule> rules_;
  std::vector<Group> groups_;
  Balancer all_;
  std::optional<std::uint32_t> mirror_;  // group of weft.mesh/mirror
};

}  // namespace weft::policy
