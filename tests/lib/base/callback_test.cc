#include "base/callback.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(Anchor, SilencesCallbacksOfADeadObject) {
  int calls = 0;
  auto anchor = std::make_unique<Anchor>();
  Function<void(int)> callback = anchor->guard([&calls](int by) { calls += by; });
  callback(2);
  anchor.reset();
  callback(2);
  EXPECT_EQ(calls, 2);
}

TEST(Function, CanOwnWhatCannotBeCopied) {
  Function<int()> function = [owned = std::make_unique<int>(7)] { return *owned; };
  Function<int()> moved = std::move(function);
  EXPECT_FALSE(function);
  EXPECT_EQ(moved(), 7);
}

}  // namespace
}  // namespace weft
