#include <memory>
#include <string>
#include <vector>

#include "tests/lib/io/rig.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

using TimerTest = LoopSuite;
using DeferTest = LoopSuite;

TEST_F(TimerTest, FiresInTheOrderOfDeadlinesThenOfStarts) {
  std::string order;
  const auto c = loop().make_timer([&] { order += 'c'; });
  const auto a = loop().make_timer([&] { order += 'a'; });
  const auto b = loop().make_timer([&] { order += 'b'; });
  c->start(30ms);
  a->start(10ms);
  b->start(10ms);
  ASSERT_TRUE(run_until([&] { return order.size() == 3; }));
  EXPECT_EQ(order, "abc");
}

TEST_F(TimerTest, NeverFiresEarly) {
  const auto started = loop().now();
  MonotonicTime fired{};
  const auto timer = loop().make_timer([&] { fired = loop().now(); });
  timer->start(7'300us);
  ASSERT_TRUE(run_until([&] { return fired != MonotonicTime{}; }));
  EXPECT_GE(fired - started, 7'300us);
}

TEST_F(TimerTest, FiresOncePerStart) {
  int fired = 0;
  const auto timer = loop().make_timer([&] { ++fired; });
  timer->start(1ms);
  EXPECT_TRUE(timer->active());
  run_for(30ms);
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(timer->active());
}

TEST_F(TimerTest, AStartReplacesTheOneBefore) {
  std::string order;
  const auto moved = loop().make_timer([&] { order += 'm'; });
  const auto other = loop().make_timer([&] { order += 'o'; });
  moved->start(5ms);
  other->start(20ms);
  moved->start(40ms);
  ASSERT_TRUE(run_until([&] { return order.size() == 2; }));
  EXPECT_EQ(order, "om");
}

TEST_F(TimerTest, StoppedInTheCallbackOfAnotherItDoesNotFire) {
  bool fired = false;
  const auto victim = loop().make_timer([&] { fired = true; });
  const auto first = loop().make_timer([&] { victim->stop(); });
  first->start(5ms);
  victim->start(5ms);
  run_for(30ms);
  EXPECT_FALSE(fired);
  EXPECT_FALSE(victim->active());
}

TEST_F(TimerTest, DestroyedItDoesNotFire) {
  bool fired = false;
  auto timer = loop().make_timer([&] { fired = true; });
  timer->start(1ms);
  timer.reset();
  run_for(20ms);
  EXPECT_FALSE(fired);
}

TEST_F(TimerTest, MayBeDeletedInItsOwnCallbackWhichStillHasItsCaptures) {
  std::string seen;
  std::unique_ptr<io::Timer> timer;
  timer = loop().make_timer([&, text = std::string("a text too long for the small string optimisation")] {
    timer.reset();
    seen = text;
  });
  timer->start(1ms);
  ASSERT_TRUE(run_until([&] { return !seen.empty(); }));
  EXPECT_EQ(seen, "a text too long for the small string optimisation");
}

TEST_F(TimerTest, MayBeRestartedInItsOwnCallback) {
  int fired = 0;
  std::unique_ptr<io::Timer> timer;
  timer = loop().make_timer([&] {
    if (++fired < 3) timer->start(1ms);
  });
  timer->start(1ms);
  ASSERT_TRUE(run_until([&] { return fired == 3; }));
  run_for(20ms);
  EXPECT_EQ(fired, 3);
}

TEST_F(TimerTest, WhatIsLongerThanClocksCountDoesNotFire) {
  int fired = 0;
  const auto timer = loop().make_timer([&] { ++fired; });
  timer->start(Duration::max());
  run_for(20ms);
  EXPECT_EQ(fired, 0);
  EXPECT_TRUE(timer->active());
}

TEST_F(DeferTest, RunsInOrderAndNeverInline) {
  std::string order;
  loop().defer([&] { order += 'a'; });
  loop().defer([&] { order += 'b'; });
  EXPECT_EQ(order, "");
  ASSERT_TRUE(run_until([&] { return order.size() == 2; }));
  EXPECT_EQ(order, "ab");
}

TEST_F(DeferTest, RunsAtTheEndOfTheTurnAndBeforeTheNextTimer) {
  std::string order;
  const auto first = loop().make_timer([&] {
    loop().defer([&] {
      order += 'd';
      loop().defer([&] { order += 'e'; });
    });
    order += '1';
  });
  const auto later = loop().make_timer([&] { order += '2'; });
  first->start(1ms);
  later->start(15ms);
  ASSERT_TRUE(run_until([&] { return order.size() == 4; }));
  EXPECT_EQ(order, "1de2");
}

TEST_F(DeferTest, DeletesLater) {
  struct Noisy {
    bool& gone;
    ~Noisy() { gone = true; }
  };
  bool gone = false;
  auto object = std::make_unique<Noisy>(gone);
  loop().delete_later(std::move(object));
  EXPECT_FALSE(gone);
  ASSERT_TRUE(run_until([&] { return gone; }));
}

TEST_F(DeferTest, PostedTasksRunInOrderAndNeverInline) {
  std::string order;
  loop().post([&] { order += 'a'; });
  loop().post([&] { order += 'b'; });
  EXPECT_EQ(order, "");
  ASSERT_TRUE(run_until([&] { return order.size() == 2; }));
  EXPECT_EQ(order, "ab");
}

TEST_F(DeferTest, TasksThatNeverRanAreDestroyedWithTheLoop) {
  const auto kept = std::make_shared<int>(1);
  loop().defer([kept] {});
  loop().post([kept] {});
  rig_.reset();
  EXPECT_EQ(kept.use_count(), 1);
}

}  // namespace
}  // namespace weft::test
