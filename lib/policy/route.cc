#include "policy/route.h"

#include <algorithm>
#include <bitset>
#include <numeric>

#include "base/hash.h"
#include "base/text.h"
#include "policy/caller_key.h"

namespace weft::policy {
namespace {

constexpr std::size_t subsets_max = 64;  // as the grammar of weft.mesh/canary has it

bool path_under(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

template <class Matches>
bool some_header(const codec::RequestHead& head, std::string_view name, Matches matches) {
  if (name == "host") return matches(head.authority);
  const auto& fields = head.headers.fields();
  return std::any_of(fields.begin(), fields.end(), [name, &matches](const codec::Header& field) {
    return equals_ignore_case(field.name, name) && matches(field.value);
  });
}

std::vector<std::uint32_t> indices(std::size_t count) {
  std::vector<std::uint32_t> out(count);
  std::iota(out.begin(), out.end(), 0u);
  return out;
}

std::optional<std::uint64_t> caller_hash(const CallerKey& key, const codec::RequestHead* head) {
  if (head == nullptr) return std::nullopt;
  const auto caller = caller_of(key, *head);
  if (!caller) return std::nullopt;
  return stable_hash(*caller);
}

}  // namespace

RouteTable::RouteTable(std::shared_ptr<const Service> service, EndpointRegistry& registry)
    : service_(std::move(service)),
      all_(service_->load_balancer, service_->endpoints, indices(service_->endpoints.size())) {
  states_.reserve(service_->endpoints.size());
  for (const Endpoint& endpoint : service_->endpoints) states_.push_back(registry.get(endpoint.address));

  for (std::size_t i = 0; i < std::min(service_->canary.size(), subsets_max); ++i) {
    const WeightedSubset& part = service_->canary[i];
    groups_[group_of(part.subset)].weight = part.weight;
  }
  for (std::size_t i = 0; i < service_->routes.size(); ++i) {
    const RouteRule& rule = service_->routes[i];
    Rule compiled{{}, group_of(rule.subset), static_cast<std::int32_t>(i)};
    for (const RouteCondition& condition : rule.conditions) {
      Condition& added = compiled.conditions.emplace_back(Condition{condition, std::nullopt});
      if (condition.kind != RouteCondition::Kind::header_matches) continue;
      if (auto regex = Regex::compile(condition.value)) added.regex = *std::move(regex);
    }
    rules_.push_back(std::move(compiled));
  }
  if (service_->mirror.percent > 0) mirror_ = group_of(service_->mirror.subset);
}

// Rules and weights that name one subset share its group.
std::uint32_t RouteTable::group_of(const std::string& subset) {
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (groups_[i].subset == subset) return static_cast<std::uint32_t>(i);
  }
  std::vector<std::uint32_t> members;
  for (const std::uint32_t i : all_.candidates()) {
    if (service_->endpoints[i].subset == subset) members.push_back(i);
  }
  groups_.push_back(Group{subset, stable_hash(subset), 0,
                          Balancer(service_->load_balancer, service_->endpoints, std::move(members))});
  return static_cast<std::uint32_t>(groups_.size() - 1);
}

// Whether it has an endpoint to hope for.
bool RouteTable::alive(const Balancer& balancer, const TriedEndpoints& tried, MonotonicTime now) const {
  const auto members = balancer.candidates();
  return std::any_of(members.begin(), members.end(), [this, &tried, now](std::uint32_t i) {
    return !states_[i]->outlier.passed_over(now) && !tried.has(*states_[i]);
  });
}

bool RouteTable::matches(const Condition& condition, const codec::RequestHead& head) {
  const RouteCondition& wanted = condition.condition;
  const std::string_view path = std::string_view(head.target).substr(0, head.target.find('?'));
  switch (wanted.kind) {
    case RouteCondition::Kind::header_equals:
      return some_header(head, wanted.name,
                         [&wanted](std::string_view value) { return value == wanted.value; });
    case RouteCondition::Kind::header_matches:
      // A pattern that does not compile can only come from a newer discovery; then the rule matches nothing.
      return condition.regex && some_header(head, wanted.name, [&condition](std::string_view value) {
               return condition.regex->matches(value);
             });
    case RouteCondition::Kind::path_exact:
      return path == wanted.value;
    case RouteCondition::Kind::path_prefix:
      return path.starts_with('/') && path_under(path, wanted.value);
    case RouteCondition::Kind::method:
      return head.method == wanted.value;
  }
  return false;
}

RouteChoice RouteTable::choose(const codec::RequestHead* head, const TriedEndpoints& tried, MonotonicTime now,
                               Random& random) const {
  RouteChoice choice = choose_group(head, tried, now, random);
  if (service_->load_balancer.kind != LoadBalancer::Kind::hash) return choice;
  const auto caller = caller_hash(service_->load_balancer.key, head);
  choice.caller = caller ? *caller : random.next();
  return choice;
}

RouteChoice RouteTable::elsewhere(const RouteChoice& choice, const codec::RequestHead* head,
                                  const TriedEndpoints& tried, MonotonicTime now, Random& random) const {
  if (choice.balancer == nullptr || alive(*choice.balancer, tried, now)) return choice;
  RouteChoice other = choose(head, tried, now, random);
  other.caller = choice.caller;
  return has_untried(other, tried) ? other : choice;
}

RouteChoice RouteTable::choose_group(const codec::RequestHead* head, const TriedEndpoints& tried,
                                     MonotonicTime now, Random& random) const {
  if (head != nullptr) {
    for (const Rule& rule : rules_) {
      const bool all_hold =
          std::all_of(rule.conditions.begin(), rule.conditions.end(),
                      [head](const Condition& condition) { return matches(condition, *head); });
      const Group& group = groups_[rule.group];
      if (all_hold && alive(group.balancer, tried, now))
        return RouteChoice{group.subset, &group.balancer, rule.index};
    }
  }
  const Group* const group = weighted_group(head, tried, now, random);
  return group == nullptr ? RouteChoice{{}, &all_} : RouteChoice{group->subset, &group->balancer};
}

// One of the parts of the canary that has a living endpoint; null when none has.
const RouteTable::Group* RouteTable::weighted_group(const codec::RequestHead* head,
                                                    const TriedEndpoints& tried, MonotonicTime now,
                                                    Random& random) const {
  // The parts of the canary come first among the groups; those of routes alone have weight 0.
  std::bitset<subsets_max> living;
  std::uint64_t total = 0;
  const std::size_t count = std::min(groups_.size(), subsets_max);
  for (std::size_t i = 0; i < count; ++i) {
    if (groups_[i].weight == 0 || !alive(groups_[i].balancer, tried, now)) continue;
    living.set(i);
    total += groups_[i].weight;
  }
  if (total == 0) return nullptr;
  const Group* best = nullptr;
  const auto caller = service_->canary_sticky ? caller_hash(*service_->canary_sticky, head) : std::nullopt;
  if (caller) {
    double best_score = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!living.test(i)) continue;
      const double score = sticky_score(*caller, groups_[i].hash, groups_[i].weight);
      if (score > best_score) best = &groups_[i];
      best_score = std::max(best_score, score);
    }
    return best;
  }
  std::uint64_t drawn = random.below(total);
  for (std::size_t i = 0; i < count; ++i) {
    if (!living.test(i)) continue;
    best = &groups_[i];
    if (drawn < groups_[i].weight) break;
    drawn -= groups_[i].weight;
  }
  return best;
}

std::optional<EndpointChoice> RouteTable::pick(const RouteChoice& choice, const TriedEndpoints& tried,
                                               MonotonicTime now, Random& random) const {
  if (choice.balancer == nullptr) return std::nullopt;
  const auto index = choice.balancer->pick(BalanceInput{states_, tried, now, choice.caller}, random);
  if (!index) return std::nullopt;
  return EndpointChoice{&service_->endpoints[*index], states_[*index].get()};
}

RouteChoice RouteTable::mirror() const {
  if (!mirror_) return {};
  const Group& group = groups_[*mirror_];
  return RouteChoice{group.subset, &group.balancer};
}

bool RouteTable::has_untried(const RouteChoice& choice, const TriedEndpoints& tried) const {
  const auto candidates = choice.candidates();
  return std::any_of(candidates.begin(), candidates.end(),
                     [this, &tried](std::uint32_t i) { return !tried.has(*states_[i]); });
}

bool RouteTable::report(EndpointState& endpoint, Health health, MonotonicTime now) const {
  const OutlierSettings& settings = service_->outlier;
  if (health == Health::good) endpoint.outlier.succeeded();
  if (health == Health::unreachable) endpoint.outlier.unreachable(now);
  if (health == Health::good || health == Health::unknown) return false;
  if (!endpoint.outlier.failed(now, settings)) return false;
  const auto ejected = static_cast<std::uint64_t>(std::count_if(
      states_.begin(), states_.end(), [now](const auto& state) { return state->outlier.ejected(now); }));
  if ((ejected + 1) * 100 > states_.size() * settings.max_percent) return false;
  endpoint.outlier.eject(now, settings);
  return true;
}

}  // namespace weft::policy
