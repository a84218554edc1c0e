// A timer that is pushed back far more often than it fires: pushing back only notes the time. One loop's
// thread.
#pragma once

#include <memory>
#include <utility>

#include "base/callback.h"
#include "base/clock.h"
#include "io/loop.h"

namespace weft::http {

class Deadline {
 public:
  // `fired` may destroy the Deadline.
  Deadline(io::Loop& loop, Function<void()> fired)
      : loop_(loop), fired_(std::move(fired)), timer_(loop.make_timer([this] { timer_fired(); })) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void set(Duration after) {
    due_ = loop_.now() + after;
    if (timer_->active() && armed_ <= due_) return;
    armed_ = due_;
    timer_->start(after);
  }
  void stop() { timer_->stop(); }

 private:
  void timer_fired() {
    const MonotonicTime now = loop_.now();
    if (now >= due_) return fired_();
    armed_ = due_;
    timer_->start(due_ - now);
  }

  io::Loop& loop_;
  Function<void()> fired_;
  MonotonicTime due_{};
  MonotonicTime armed_{};
  std::unique_ptr<io::Timer> timer_;  // last: its callback uses the others
};

}  // namespace weft::http
