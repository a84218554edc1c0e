// The real event loop, on libuv. One per thread: make it, make what lives on it, run() it; N of them on N
// threads share nothing. Destroy everything made by a loop before the loop. Ignores SIGPIPE in the process.
// Only post() and stop() may be called from another thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/loop.h"

struct uv_loop_s;

namespace weft::io {

class PausedStreams;

// Something with work to do once at the end of a turn, after the deferred tasks: a stream with bytes to send.
// A member of the loop's list while scheduled, so that no turn allocates for it.
class EndOfTurn {
 public:
  virtual void end_turn() = 0;

 protected:
  virtual ~EndOfTurn() = default;

 private:
  friend class UvLoop;
  std::size_t scheduled_at_ = 0;  // place in UvLoop::ending_, from 1; 0: not scheduled
};

class UvLoop final : public Loop {
 public:
  UvLoop();
  ~UvLoop() override;
  UvLoop(const UvLoop&) = delete;
  UvLoop& operator=(const UvLoop&) = delete;

  // Runs until stop(). May be called again afterwards. A stop() before run() makes it return at once.
  void run();
  // Ends run() after the current turn. Any thread.
  void stop();
  // One turn: waits for something to happen and handles it. For tests.
  void run_turn();

  MonotonicTime now() const override;
  WallTime wall_now() const override;
  std::unique_ptr<Timer> make_timer(Function<void()> fired) override;
  void defer(Function<void()> task) override;
  void post(Function<void()> task) override;
  Result<std::unique_ptr<Listener>> listen(const Address& address, const ListenOptions& options,
                                           Function<void(std::unique_ptr<Stream>)> accepted) override;
  std::unique_ptr<Connecting> connect(const Address& address, const ConnectOptions& options,
                                      Function<void(Result<std::unique_ptr<Stream>>)> done) override;
  Result<std::unique_ptr<Listener>> listen_unix(const std::string& path,
                                                Function<void(std::unique_ptr<Stream>)> accepted) override;
  std::unique_ptr<Connecting> connect_unix(const std::string& path,
                                           Function<void(Result<std::unique_ptr<Stream>>)> done) override;

  // For lib/io itself.
  uv_loop_s* raw() const { return loop_.get(); }
  // Where every stream of this loop reads into, so that an idle connection holds no buffer.
  // limits::read_chunk_bytes long.
  char* read_buffer() const { return read_buffer_.get(); }
  void schedule(EndOfTurn& work);
  void unschedule(EndOfTurn& work);
  PausedStreams& paused_streams() const { return *paused_streams_; }

 private:
  struct Handles;

  void take_posted();
  void end_turn();
  void forget_time();

  std::unique_ptr<uv_loop_s> loop_;
  std::unique_ptr<char[]> read_buffer_;
  std::unique_ptr<Handles> handles_;
  std::unique_ptr<PausedStreams> paused_streams_;
  std::vector<Function<void()>> deferred_;
  std::vector<EndOfTurn*> ending_;
  mutable MonotonicTime now_{};  // the epoch: not asked for yet in this turn
  mutable WallTime wall_now_{};
  std::atomic<bool> stopping_{false};
  std::mutex posted_mutex_;
  std::vector<Function<void()>> posted_;  // guarded by posted_mutex_
};

}  // namespace weft::io
