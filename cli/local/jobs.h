// Work that blocks, away from the loop: setting up a network namespace, asking a sidecar inside one. A job
// runs on one of a few threads, its result comes back on the loop's thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/callback.h"
#include "io/loop.h"

namespace weft::local {

class Jobs {
 public:
  Jobs(io::Loop& loop, unsigned threads);
  ~Jobs();  // finishes the jobs under way, drops those that wait
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;

  // `done` gets what `work` returned, on the loop's thread; guard it with an Anchor. A work that changes its
  // thread's namespace changes it back.
  template <class Work, class Done>
  void run(Work work, Done done) {
    add([this, work = std::move(work), done = std::move(done)]() mutable {
      loop_.post([result = work(), done = std::move(done)]() mutable { done(std::move(result)); });
    });
  }

 private:
  void add(Function<void()> job);
  void work();

  io::Loop& loop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Function<void()>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weft::local
