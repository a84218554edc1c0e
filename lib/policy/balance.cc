#include "policy/balance.h"

namespace weft::policy {
namespace {

std::uint32_t load_of(const EndpointState& state) { return state.active.load(std::memory_order_relaxed); }

// The less loaded of two random ones among those that `fits`; nothing when none does.
template <class Fits>
std::optional<std::uint32_t> pick_among(const EndpointStates& states,
                                        std::span<const std::uint32_t> candidates, Random& random,
                                        Fits fits) {
  const std::size_t count = candidates.size();
  const std::size_t first = random.below(count);
  const std::size_t second = count == 1 ? first : (first + 1 + random.below(count - 1)) % count;
  const std::uint32_t a = candidates[first];
  const std::uint32_t b = candidates[second];
  const bool a_fits = fits(*states[a]);
  const bool b_fits = fits(*states[b]);
  if (a_fits && b_fits) return load_of(*states[a]) <= load_of(*states[b]) ? a : b;
  if (a_fits) return a;
  if (b_fits) return b;
  // Rare: the least loaded of all that fit, from a random place on so that equals share.
  std::optional<std::uint32_t> best;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t c = candidates[(first + i) % count];
    if (fits(*states[c]) && (!best || load_of(*states[c]) < load_of(*states[*best]))) best = c;
  }
  return best;
}

}  // namespace

std::optional<std::uint32_t> pick_endpoint(const EndpointStates& states,
                                           std::span<const std::uint32_t> candidates,
                                           const TriedEndpoints& tried, MonotonicTime now, Random& random) {
  if (candidates.empty()) return std::nullopt;
  const auto pick = [&](auto fits) { return pick_among(states, candidates, random, fits); };
  if (const auto found =
          pick([&](const EndpointState& s) { return !tried.has(s) && !s.outlier.ejected(now); })) {
    return found;
  }
  if (const auto found = pick([&](const EndpointState& s) { return !tried.has(s); })) return found;
  if (const auto found = pick([&](const EndpointState& s) { return !s.outlier.ejected(now); })) return found;
  return pick([](const EndpointState&) { return true; });
}

}  // namespace weft::policy
