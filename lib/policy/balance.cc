#include "policy/balance.h"

#include <utility>

namespace weft::policy {
namespace {

using Candidates = std::span<const std::uint32_t>;

std::uint32_t load_of(const EndpointState& state) { return state.active.load(std::memory_order_relaxed); }

// The less loaded of two random ones among those that fit.
template <class Fits>
std::optional<std::uint32_t> least_request(const EndpointStates& states, Candidates candidates,
                                           Random& random, Fits fits) {
  const std::size_t count = candidates.size();
  const std::size_t first = random.below(count);
  const std::size_t second = count == 1 ? first : (first + 1 + random.below(count - 1)) % count;
  const std::uint32_t a = candidates[first];
  const std::uint32_t b = candidates[second];
  const bool a_fits = fits(a);
  const bool b_fits = fits(b);
  if (a_fits && b_fits) return load_of(*states[a]) <= load_of(*states[b]) ? a : b;
  if (a_fits) return a;
  if (b_fits) return b;
  // Rare: the least loaded of all that fit, from a random place on so that equals share.
  std::optional<std::uint32_t> best;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t c = candidates[(first + i) % count];
    if (fits(c) && (!best || load_of(*states[c]) < load_of(*states[*best]))) best = c;
  }
  return best;
}

template <class Fits>
std::optional<std::uint32_t> uniform(Candidates candidates, Random& random, Fits fits) {
  const std::uint32_t drawn = candidates[random.below(candidates.size())];
  if (fits(drawn)) return drawn;
  const auto left = static_cast<std::uint64_t>(std::count_if(candidates.begin(), candidates.end(), fits));
  if (left == 0) return std::nullopt;
  std::uint64_t skip = random.below(left);
  for (const std::uint32_t c : candidates) {
    if (fits(c) && skip-- == 0) return c;
  }
  return std::nullopt;
}

// One who is passed over costs a turn, so that the next in the row does not get its share on top.
template <class Fits>
std::optional<std::uint32_t> round_robin(std::atomic<std::uint32_t>& turn, Candidates candidates,
                                         Random& random, Fits fits) {
  // Sidecars that learn of a Service together do not begin together.
  std::uint32_t fresh = 0;
  if (turn.load(std::memory_order_relaxed) == 0)
    turn.compare_exchange_strong(fresh, static_cast<std::uint32_t>(random.next() | 1u),
                                 std::memory_order_relaxed);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::uint32_t c = candidates[turn.fetch_add(1, std::memory_order_relaxed) % candidates.size()];
    if (fits(c)) return c;
  }
  // Another worker may have taken the turn of the only one left.
  const auto found = std::find_if(candidates.begin(), candidates.end(), fits);
  return found == candidates.end() ? std::nullopt : std::optional(*found);
}

template <class Fits>
std::optional<std::uint32_t> by_hash(const HashRing& ring, Candidates candidates, std::uint64_t caller,
                                     Fits fits) {
  // The ring has hundreds of points for each of them: not walked in vain.
  if (std::none_of(candidates.begin(), candidates.end(), fits)) return std::nullopt;
  return ring.first(caller, fits);
}

}  // namespace

Balancer::Balancer(const LoadBalancer& policy, const std::vector<Endpoint>& endpoints,
                   std::vector<std::uint32_t> candidates)
    : kind_(policy.kind), candidates_(std::move(candidates)) {
  if (kind_ == LoadBalancer::Kind::hash) ring_ = HashRing(endpoints, candidates_);
  if (kind_ == LoadBalancer::Kind::round_robin) turn_ = std::make_unique<Turn>();
}

template <class Fits>
std::optional<std::uint32_t> Balancer::pick_among(const BalanceInput& input, Random& random,
                                                  Fits fits) const {
  switch (kind_) {
    case LoadBalancer::Kind::least_request:
      return least_request(input.states, candidates_, random, fits);
    case LoadBalancer::Kind::round_robin:
      return round_robin(turn_->next, candidates_, random, fits);
    case LoadBalancer::Kind::random:
      return uniform(candidates_, random, fits);
    case LoadBalancer::Kind::hash:
      return by_hash(ring_, candidates_, input.caller, fits);
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Balancer::pick(const BalanceInput& input, Random& random) const {
  if (candidates_.empty()) return std::nullopt;
  constexpr unsigned passed_over_rank = 1;
  constexpr unsigned tried_rank = 2;
  for (unsigned worst = 0; worst <= tried_rank + passed_over_rank; ++worst) {
    const auto fits = [&input, worst](std::uint32_t candidate) {
      const EndpointState& state = *input.states[candidate];
      const unsigned rank = (input.tried.has(state) ? tried_rank : 0) +
                            (state.outlier.passed_over(input.now) ? passed_over_rank : 0);
      return rank <= worst;
    };
    if (const auto found = pick_among(input, random, fits)) return found;
  }
  return std::nullopt;
}

}  // namespace weft::policy
