#include "policy/balance.h"

#include <cmath>
#include <memory>
#include <numeric>

#include <gtest/gtest.h>

namespace weft::policy {
namespace {

using namespace std::chrono_literals;

const MonotonicTime now{1h};

struct Endpoints {
  explicit Endpoints(std::size_t count) : candidates(count) {
    for (std::size_t i = 0; i < count; ++i) states.push_back(std::make_shared<EndpointState>());
    std::iota(candidates.begin(), candidates.end(), 0u);
  }
  std::optional<std::uint32_t> pick(const TriedEndpoints& tried = {}) {
    return pick_endpoint(states, candidates, tried, now, random);
  }
  void eject(std::size_t i) { states[i]->outlier.eject(now, OutlierSettings{}); }

  EndpointStates states;
  std::vector<std::uint32_t> candidates;
  SeededRandom random{23};
};

TEST(Balance, OfTwoTheLessLoadedIsTaken) {
  Endpoints two(2);
  two.states[0]->active = 3;
  two.states[1]->active = 2;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(two.pick(), 1u);
}

TEST(Balance, EqualsShareAlike) {
  Endpoints five(5);
  constexpr int rounds = 10'000;
  std::vector<int> counts(5);
  for (int i = 0; i < rounds; ++i) ++counts[*five.pick()];
  for (const int count : counts) EXPECT_NEAR(count, rounds / 5, 4 * std::sqrt(rounds * 0.2 * 0.8));
}

TEST(Balance, ASlowEndpointGetsLess) {
  Endpoints three(3);
  std::vector<ActiveRequest> stuck;
  std::vector<int> counts(3);
  for (int i = 0; i < 300; ++i) {
    const std::uint32_t index = *three.pick();
    ++counts[index];
    if (index == 0) stuck.emplace_back(*three.states[0]);
  }
  EXPECT_LT(counts[0], 5) << "after its first requests it is never the less loaded of two";
}

TEST(Balance, SkipsTheTriedAndTheEjectedWhileOthersAreLeft) {
  Endpoints four(4);
  TriedEndpoints tried;
  tried.add(*four.states[0]);
  four.eject(1);
  four.states[2]->active = 100;
  four.states[3]->active = 1000;
  bool second = false;
  for (int i = 0; i < 200; ++i) {
    const std::uint32_t index = *four.pick(tried);
    EXPECT_TRUE(index == 2 || index == 3) << index;
    second = second || index == 2;
  }
  EXPECT_TRUE(second);
}

TEST(Balance, PrefersAnEjectedOneToATriedOneAndAnyToNone) {
  Endpoints two(2);
  TriedEndpoints tried;
  tried.add(*two.states[0]);
  two.eject(1);
  EXPECT_EQ(two.pick(tried), 1u) << "ejected, but not tried";
  tried.add(*two.states[1]);
  EXPECT_EQ(two.pick(tried), 0u) << "both tried: the one not ejected";
  two.eject(0);
  EXPECT_TRUE(two.pick(tried).has_value());
  two.candidates.clear();
  EXPECT_EQ(two.pick(tried), std::nullopt);
}

TEST(Balance, FindsTheOnlyOneLeftAmongMany) {
  Endpoints many(100);
  for (std::size_t i = 0; i < 100; ++i) {
    if (i != 37) many.eject(i);
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(many.pick(), 37u);
}

TEST(Balance, AnActiveRequestCountsForAsLongAsItLives) {
  // On the heap: the fake stack of the address sanitizer does not keep an alignment of 64 with g++ 12.
  const auto state = std::make_unique<EndpointState>();
  {
    ActiveRequest first(*state);
    ActiveRequest second = std::move(first);
    ActiveRequest third(*state);
    EXPECT_EQ(state->active.load(), 2u);
    third = std::move(second);
    EXPECT_EQ(state->active.load(), 2u) << "the one replaced dies with `second`";
  }
  EXPECT_EQ(state->active.load(), 0u);
}

TEST(Sizes, OfWhatEveryRequestAndEndpointCostsArePinned) {
  EXPECT_EQ(sizeof(EndpointState), 64u) << "one cache line";
  EXPECT_EQ(sizeof(ActiveRequest), 8u);
  EXPECT_EQ(sizeof(TriedEndpoints), 96u);
}

}  // namespace
}  // namespace weft::policy
