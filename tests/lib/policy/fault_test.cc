#include "policy/fault.h"

#include <gtest/gtest.h>

namespace weft::policy {
namespace {

using namespace std::chrono_literals;

TEST(Fault, WithoutAnAnnotationNothingHappensAndNothingIsDrawn) {
  SeededRandom random(3);
  SeededRandom untouched(3);
  EXPECT_EQ(decide_fault({}, random), FaultDecision{});
  EXPECT_EQ(random.next(), untouched.next()) << "no draw";
}

TEST(Fault, AShareOfTheWholeIsAlwaysAndOfNothingNever) {
  SeededRandom random(3);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(decide_fault({5s, 100, 503, 0}, random), (FaultDecision{5s, 0}));
    EXPECT_EQ(decide_fault({5s, 0, 503, 100}, random), (FaultDecision{0s, 503}));
    EXPECT_EQ(decide_fault({5s, 100, 429, 100}, random), (FaultDecision{5s, 429}));
  }
}

// The 99 % intervals of 10,000 draws.
TEST(Fault, TheSharesAreKeptAndIndependentOfEachOther) {
  SeededRandom random(11);
  int delays = 0;
  int aborts = 0;
  int both = 0;
  for (int i = 0; i < 10'000; ++i) {
    const FaultDecision decision = decide_fault({1s, 10, 503, 50}, random);
    delays += decision.delay == 1s ? 1 : 0;
    aborts += decision.abort_status == 503 ? 1 : 0;
    both += decision.delay == 1s && decision.abort_status == 503 ? 1 : 0;
  }
  EXPECT_NEAR(delays, 1000, 78);
  EXPECT_NEAR(aborts, 5000, 129);
  EXPECT_NEAR(both, 500, 57);
}

}  // namespace
}  // namespace weft::policy
