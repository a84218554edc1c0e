#include "base/backoff.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace weft {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesUpToTheLongestAndIsNeverLessThanHalfOfItsStep) {
  SeededRandom random(1);
  Backoff back_off(100ms, 1s);
  for (const auto step : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    const Duration next = back_off.next(random);
    EXPECT_GE(next, step / 2);
    EXPECT_LT(next, step);
  }
  back_off.reset();
  EXPECT_LT(back_off.next(random), 100ms);
}

TEST(Jittered, SpreadsOverTheWholeOfItsRange) {
  SeededRandom random(1);
  std::set<Duration> drawn;
  for (int i = 0; i < 1000; ++i) drawn.insert(jittered(1h, 10, random));
  EXPECT_GT(drawn.size(), 990u) << "what began together does not end together";
  EXPECT_GE(*drawn.begin(), 54min);
  EXPECT_LT(*drawn.begin(), 55min);
  EXPECT_LE(*drawn.rbegin(), 66min);
  EXPECT_GT(*drawn.rbegin(), 65min);
}

}  // namespace
}  // namespace weft
