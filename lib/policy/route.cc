#include "policy/route.h"

#include <algorithm>
#include <bitset>
#include <numeric>

#include "base/text.h"

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

}  // namespace

RouteTable::RouteTable(std::shared_ptr<const Service> service, EndpointRegistry& registry)
    : service_(std::move(service)) {
  const std::vector<Endpoint>& endpoints = service_->endpoints;
  states_.reserve(endpoints.size());
  for (const Endpoint& endpoint : endpoints) states_.push_back(registry.get(endpoint.address));
  all_.endpoints.resize(endpoints.size());
  std::iota(all_.endpoints.begin(), all_.endpoints.end(), 0u);

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
  Group& group = groups_.emplace_back(Group{subset, 0, {}});
  for (const std::uint32_t i : all_.endpoints) {
    if (service_->endpoints[i].subset == subset) group.endpoints.push_back(i);
  }
  return static_cast<std::uint32_t>(groups_.size() - 1);
}

bool RouteTable::alive(const Group& group, MonotonicTime now) const {
  return std::any_of(group.endpoints.begin(), group.endpoints.end(),
                     [this, now](std::uint32_t i) { return !states_[i]->outlier.ejected(now); });
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

RouteChoice RouteTable::choose(const codec::RequestHead* head, MonotonicTime now, Random& random) const {
  if (head != nullptr) {
    for (const Rule& rule : rules_) {
      const bool all_hold =
          std::all_of(rule.conditions.begin(), rule.conditions.end(),
                      [head](const Condition& condition) { return matches(condition, *head); });
      const Group& group = groups_[rule.group];
      if (all_hold && alive(group, now)) return RouteChoice{group.subset, group.endpoints, rule.index};
    }
  }
  // The parts of the canary come first among the groups; those of routes alone have weight 0.
  std::bitset<subsets_max> living;
  std::uint64_t total = 0;
  const std::size_t count = std::min(groups_.size(), subsets_max);
  for (std::size_t i = 0; i < count; ++i) {
    if (groups_[i].weight == 0 || !alive(groups_[i], now)) continue;
    living.set(i);
    total += groups_[i].weight;
  }
  if (total == 0) return RouteChoice{{}, all_.endpoints, -1};
  std::uint64_t drawn = random.below(total);
  for (std::size_t i = 0; i < count; ++i) {
    if (!living.test(i)) continue;
    if (drawn < groups_[i].weight) return RouteChoice{groups_[i].subset, groups_[i].endpoints, -1};
    drawn -= groups_[i].weight;
  }
  return RouteChoice{{}, all_.endpoints, -1};
}

std::optional<EndpointChoice> RouteTable::pick(const RouteChoice& choice, const TriedEndpoints& tried,
                                               MonotonicTime now, Random& random) const {
  const auto index = pick_endpoint(states_, choice.candidates, tried, now, random);
  if (!index) return std::nullopt;
  return EndpointChoice{&service_->endpoints[*index], states_[*index].get()};
}

RouteChoice RouteTable::mirror() const {
  if (!mirror_) return {};
  return RouteChoice{groups_[*mirror_].subset, groups_[*mirror_].endpoints, -1};
}

bool RouteTable::has_untried(const RouteChoice& choice, const TriedEndpoints& tried) const {
  return std::any_of(choice.candidates.begin(), choice.candidates.end(),
                     [this, &tried](std::uint32_t i) { return !tried.has(*states_[i]); });
}

bool RouteTable::report(EndpointState& endpoint, bool success, MonotonicTime now) const {
  constexpr OutlierSettings settings;
  if (success) {
    endpoint.outlier.succeeded();
    return false;
  }
  if (!endpoint.outlier.failed(now, settings)) return false;
  const auto ejected = static_cast<std::uint64_t>(std::count_if(
      states_.begin(), states_.end(), [now](const auto& state) { return state->outlier.ejected(now); }));
  if ((ejected + 1) * 100 > states_.size() * settings.max_percent) return false;
  endpoint.outlier.eject(now, settings);
  return true;
}

}  // namespace weft::policy
