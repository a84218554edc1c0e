// Things to be done after a while on one loop, forgotten with their owner.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/callback.h"
#include "io/loop.h"

namespace weft::test {

class Later {
 public:
  explicit Later(io::Loop& loop) : loop_(loop) {}
  void after(Duration delay, Function<void()> task) {
    timers_.push_back(loop_.make_timer(std::move(task)));
    timers_.back()->start(delay);
  }
  void forget_all() {
    for (const auto& timer : timers_) timer->stop();
  }

 private:
  io::Loop& loop_;
  std::vector<std::unique_ptr<io::Timer>> timers_;
};

}  // namespace weft::test
