#include "tests/sim/sim_loop.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "tests/sim/sim_socket.h"
#include "tests/sim/sim_stream.h"

namespace weft::sim {

class SimTimer final : public io::Timer {
 public:
  SimTimer(SimLoop& loop, Function<void()> fired)
      : loop_(loop), fired_(std::make_shared<Function<void()>>(std::move(fired))) {}
  ~SimTimer() override { stop(); }

  void start(Duration after) override {
    stop();
    const Duration wait = std::clamp(after, Duration::zero(), io::longest_wait);
    key_ = loop_.network().schedule(loop_, wait, anchor_.guard([this] {
      active_ = false;
      // The callback may delete this object; it must not take its own code's captures along while it runs.
      const auto fired = fired_;
      (*fired)();
    }));
    active_ = true;
  }
  void stop() override {
    if (std::exchange(active_, false)) loop_.network().cancel(key_);
  }
  bool active() const override { return active_; }

 private:
  SimLoop& loop_;
  std::shared_ptr<Function<void()>> fired_;
  SimNetwork::EventKey key_;
  bool active_ = false;
  Anchor anchor_;
};

SimLoop::SimLoop() : own_network_(std::make_unique<SimNetwork>()), network_(own_network_.get()) {
  network_->attach(*this, {});
}

SimLoop::SimLoop(SimNetwork& network) : network_(&network) {}

SimLoop::~SimLoop() {
  if (own_network_) network_->closing_ = true;
  while (!deferred_.empty()) std::exchange(deferred_, {}).clear();
  own_network_.reset();
}

MonotonicTime SimLoop::now() const { return network_->now(); }

WallTime SimLoop::wall_now() const {
  return wall_set_ + std::chrono::duration_cast<WallTime::duration>(now() - wall_set_at_);
}

void SimLoop::set_wall(WallTime time) {
  wall_set_ = time;
  wall_set_at_ = now();
}

std::unique_ptr<io::Timer> SimLoop::make_timer(Function<void()> fired) {
  return std::make_unique<SimTimer>(*this, std::move(fired));
}

void SimLoop::defer(Function<void()> task) {
  deferred_.push_back(std::move(task));
  ensure_turn();
}

void SimLoop::post(Function<void()> task) {
  network_->schedule(*this, Duration::zero(),
                     [this, task = std::move(task)]() mutable { deferred_.push_back(std::move(task)); });
}

// Work that was given from outside a turn, as tests do, gets one of its own.
void SimLoop::ensure_turn() {
  if (in_turn_ || std::exchange(turn_scheduled_, true)) return;
  network_->schedule(*this, Duration::zero(), [this] { turn_scheduled_ = false; });
}

void SimLoop::flush_later(SimStream& stream) {
  if (std::find(flushes_.begin(), flushes_.end(), &stream) == flushes_.end()) flushes_.push_back(&stream);
  ensure_turn();
}

void SimLoop::forget(SimStream& stream) {
  std::replace(flushes_.begin(), flushes_.end(), &stream, static_cast<SimStream*>(nullptr));
}

void SimLoop::run_turn(const Function<void()>& action) {
  WEFT_CHECK(!in_turn_);  // a callback must not run the network
  in_turn_ = true;
  action();
  while (!deferred_.empty() || !flushes_.empty()) {
    for (std::size_t i = 0; i < deferred_.size(); ++i) {
      const auto task = std::move(deferred_[i]);
      task();
    }
    deferred_.clear();
    for (std::size_t i = 0; i < flushes_.size() && deferred_.empty(); ++i) {
      if (SimStream* const stream = std::exchange(flushes_[i], nullptr)) stream->flush();
    }
    std::erase(flushes_, nullptr);
  }
  in_turn_ = false;
}

Result<std::unique_ptr<io::Listener>> SimLoop::listen(const Address& address,
                                                      const io::ListenOptions& options,
                                                      Function<void(std::unique_ptr<io::Stream>)> accepted) {
  return SimListener::open(*this, address, options, std::move(accepted));
}

std::unique_ptr<io::Connecting> SimLoop::connect(const Address& address, const io::ConnectOptions& options,
                                                 Function<void(Result<std::unique_ptr<io::Stream>>)> done) {
  return sim_connect(*this, address, options, std::move(done));
}

Result<std::unique_ptr<io::Listener>> SimLoop::listen_unix(
    const std::string& path, Function<void(std::unique_ptr<io::Stream>)> accepted) {
  return SimListener::open_unix(*this, path, std::move(accepted));
}

std::unique_ptr<io::Connecting> SimLoop::connect_unix(
    const std::string& path, Function<void(Result<std::unique_ptr<io::Stream>>)> done) {
  return sim_connect_unix(*this, path, std::move(done));
}

}  // namespace weft::sim
