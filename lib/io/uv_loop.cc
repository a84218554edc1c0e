#include "io/uv_loop.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "io/paused_streams.h"
#include "io/uv_handle.h"
#include "io/uv_socket.h"
#include "io/uv_stream.h"

namespace weft::io {
namespace {

class UvTimer final : public Timer {
 public:
  UvTimer(UvLoop& loop, Function<void()> fired) : loop_(loop), fired_(std::move(fired)) {
    handle_.open_checked(this, [&](uv_timer_t* timer) { return uv_timer_init(loop.raw(), timer); });
  }

  void start(Duration after) override {
    // libuv counts whole milliseconds from the loop's time, which may lag behind now(): never fire early.
    const auto deadline = loop_.now() + std::clamp(after, Duration::zero(), longest_wait);
    const auto loop_time = MonotonicTime(std::chrono::milliseconds(uv_now(loop_.raw())));
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(deadline - loop_time).count();
    // At least one: libuv runs what is due in one go, and a timer that its own callback makes due again would
    // hold it there.
    uv_timer_start(handle_.get(), &UvTimer::fire, static_cast<std::uint64_t>(std::max<std::int64_t>(wait, 1)),
                   0);
  }
  void stop() override { uv_timer_stop(handle_.get()); }
  bool active() const override { return uv_is_active(handle_.base()) != 0; }

 private:
  static void fire(uv_timer_t* timer) {
    // The callback may delete this object; it must not take its own code's captures along while it runs.
    const auto self = [timer] { return static_cast<UvTimer*>(timer->data); };
    auto fired = std::move(self()->fired_);
    fired();
    if (self()) self()->fired_ = std::move(fired);
  }

  UvLoop& loop_;
  Function<void()> fired_;
  UvHandle<uv_timer_t> handle_;
};

}  // namespace

// Prepare runs just before the loop may block, check just after the sockets were served: together they are
// the end of every turn, and neither wakes an idle loop.
struct UvLoop::Handles {
  UvHandle<uv_prepare_t> prepare;
  UvHandle<uv_check_t> check;
  UvHandle<uv_async_t> wake;
};

UvLoop::UvLoop()
    : loop_(std::make_unique<uv_loop_s>()),
      read_buffer_(new char[limits::read_chunk_bytes]),
      handles_(std::make_unique<Handles>()) {
  // libuv writes without MSG_NOSIGNAL; a peer that is gone must be an error value, not the end of the
  // process.
  signal(SIGPIPE, SIG_IGN);
  WEFT_CHECK(uv_loop_init(loop_.get()) == 0);
  handles_->prepare.open_checked(this, [&](uv_prepare_t* h) { return uv_prepare_init(loop_.get(), h); });
  handles_->check.open_checked(this, [&](uv_check_t* h) { return uv_check_init(loop_.get(), h); });
  handles_->wake.open_checked(this, [&](uv_async_t* h) {
    return uv_async_init(loop_.get(), h, [](uv_async_t* async) {
      if (async->data) static_cast<UvLoop*>(async->data)->take_posted();
    });
  });
  uv_prepare_start(handles_->prepare.get(),
                   [](uv_prepare_t* h) { static_cast<UvLoop*>(h->data)->end_turn(); });
  uv_check_start(handles_->check.get(), [](uv_check_t* h) { static_cast<UvLoop*>(h->data)->end_turn(); });
  paused_streams_ = std::make_unique<PausedStreams>(*this);
}

UvLoop::~UvLoop() {
  // Tasks that will not run any more may own streams, whose end may defer more.
  take_posted();
  while (!deferred_.empty()) std::exchange(deferred_, {}).clear();
  paused_streams_.reset();
  handles_.reset();
  uv_run(loop_.get(), UV_RUN_DEFAULT);
  WEFT_CHECK(uv_loop_close(loop_.get()) == 0);  // otherwise something outlived its loop
}

void UvLoop::run() {
  while (!stopping_.exchange(false)) run_turn();
}

void UvLoop::stop() {
  stopping_ = true;
  uv_async_send(handles_->wake.get());
}

void UvLoop::run_turn() {
  forget_time();  // it may have been asked for outside a turn
  uv_run(loop_.get(), UV_RUN_ONCE);
}

void UvLoop::forget_time() {
  now_ = {};
  wall_now_ = {};
}

MonotonicTime UvLoop::now() const {
  if (now_ == MonotonicTime{}) now_ = system_monotonic_now();
  return now_;
}

WallTime UvLoop::wall_now() const {
  if (wall_now_ == WallTime{}) wall_now_ = system_wall_now();
  return wall_now_;
}

std::unique_ptr<Timer> UvLoop::make_timer(Function<void()> fired) {
  return std::make_unique<UvTimer>(*this, std::move(fired));
}

void UvLoop::defer(Function<void()> task) { deferred_.push_back(std::move(task)); }

void UvLoop::post(Function<void()> task) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(task));
  }
  uv_async_send(handles_->wake.get());
}

void UvLoop::take_posted() {
  const std::lock_guard lock(posted_mutex_);
  for (auto& task : posted_) deferred_.push_back(std::move(task));
  posted_.clear();
}

void UvLoop::schedule(EndOfTurn& work) {
  if (work.scheduled_at_ != 0) return;
  ending_.push_back(&work);
  work.scheduled_at_ = ending_.size();
}

void UvLoop::unschedule(EndOfTurn& work) {
  if (work.scheduled_at_ == 0) return;
  ending_[work.scheduled_at_ - 1] = nullptr;
  work.scheduled_at_ = 0;
}

void UvLoop::end_turn() {
  // By index and one at a time: each may add to either list, or take itself off the second.
  while (!deferred_.empty() || !ending_.empty()) {
    for (std::size_t i = 0; i < deferred_.size(); ++i) {
      const auto task = std::move(deferred_[i]);
      task();
    }
    deferred_.clear();
    for (std::size_t i = 0; i < ending_.size() && deferred_.empty(); ++i) {
      EndOfTurn* const work = std::exchange(ending_[i], nullptr);
      if (!work) continue;
      work->scheduled_at_ = 0;
      work->end_turn();
    }
    std::erase(ending_, nullptr);
    for (std::size_t i = 0; i < ending_.size(); ++i) ending_[i]->scheduled_at_ = i + 1;
  }
  forget_time();
}

Result<std::unique_ptr<Listener>> UvLoop::listen(const Address& address, const ListenOptions& options,
                                                 Function<void(std::unique_ptr<Stream>)> accepted) {
  return listen_tcp(*this, address, options, std::move(accepted));
}

std::unique_ptr<Connecting> UvLoop::connect(const Address& address, const ConnectOptions& options,
                                            Function<void(Result<std::unique_ptr<Stream>>)> done) {
  return connect_tcp(*this, address, options, std::move(done));
}

Result<std::unique_ptr<Listener>> UvLoop::listen_unix(const std::string& path,
                                                      Function<void(std::unique_ptr<Stream>)> accepted) {
  return listen_unix_socket(*this, path, std::move(accepted));
}

std::unique_ptr<Connecting> UvLoop::connect_unix(const std::string& path,
                                                 Function<void(Result<std::unique_ptr<Stream>>)> done) {
  return connect_unix_socket(*this, path, std::move(done));
}

}  // namespace weft::io
