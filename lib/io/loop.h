// The event loop as everything above lib/io sees it. UvLoop (uv_loop.h) is the real one; tests/sim has a
// simulated one with virtual time. One loop per thread; every object that a loop makes lives on its thread
// and must be destroyed before it. Only post() may be called from another thread.
#pragma once

#include <memory>

#include "base/address.h"
#include "base/callback.h"
#include "base/clock.h"
#include "base/result.h"
#include "io/stream.h"

namespace weft::io {

// What is waited for at most: more than a year is for ever, and could be more than clocks count.
inline constexpr Duration longest_wait = std::chrono::hours(24 * 365);

// Fires once per start(). Destroying or stopping it cancels. May be restarted from its own callback.
class Timer {
 public:
  virtual ~Timer() = default;
  virtual void start(Duration after) = 0;  // restarts when running
  virtual void stop() = 0;
  virtual bool active() const = 0;
};

struct ListenOptions {
  bool reuse_port = false;  // several workers listen on one port
  bool only_v6 = false;     // an [::] listener beside a 0.0.0.0 one
  int backlog = 4096;
};

struct ConnectOptions {
  Duration timeout = std::chrono::seconds(5);
  // Socket priority mark (SO_MARK); 0 leaves it. Needs CAP_NET_ADMIN.
  int mark = 0;
};

// Destroying it stops listening. Accepted streams belong to the callback's taker.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual const Address& local_address() const = 0;  // with the real port when 0 was asked for
};

// An attempt to connect. Destroying it cancels: the callback will not run.
class Connecting {
 public:
  virtual ~Connecting() = default;
};

class Loop {
 public:
  virtual ~Loop() = default;

  // Cached at the start of each loop turn.
  virtual MonotonicTime now() const = 0;
  virtual WallTime wall_now() const = 0;

  virtual std::unique_ptr<Timer> make_timer(Function<void()> fired) = 0;
  // Runs `task` at the end of this loop turn, in order, never inline. Tasks deferred by a task run in the
  // same end-of-turn pass. Not cancellable: guard it with an Anchor.
  virtual void defer(Function<void()> task) = 0;
  // As defer, from any thread.
  virtual void post(Function<void()> task) = 0;

  virtual Result<std::unique_ptr<Listener>> listen(const Address& address, const ListenOptions& options,
                                                   Function<void(std::unique_ptr<Stream>)> accepted) = 0;
  // `done` runs exactly once, never inline, unless the Connecting is destroyed first. Errors: timeout,
  // refused (nothing listens), unavailable (no route), io; the message names the address.
  virtual std::unique_ptr<Connecting> connect(const Address& address, const ConnectOptions& options,
                                              Function<void(Result<std::unique_ptr<Stream>>)> done) = 0;
  // The same over Unix sockets; `path` is a file that the listener makes (mode 0600) and removes.
  virtual Result<std::unique_ptr<Listener>> listen_unix(const std::string& path,
                                                        Function<void(std::unique_ptr<Stream>)> accepted) = 0;
  virtual std::unique_ptr<Connecting> connect_unix(const std::string& path,
                                                   Function<void(Result<std::unique_ptr<Stream>>)> done) = 0;

  // Deletes `object` at the end of this loop turn: objects often die inside their own callbacks.
  template <class T>
  void delete_later(std::unique_ptr<T> object) {
    if (object) defer([object = std::move(object)]() mutable { object.reset(); });
  }
};

}  // namespace weft::io
