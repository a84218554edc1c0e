// Client connections kept for the next request, by key: endpoint and everything else that must be equal for
// two requests to share a connection. One pool a worker; lives on its loop's thread and outlives its leases.
//
// An HTTP/1 connection carries one exchange at a time, an HTTP/2 connection many; those who ask while one is
// being made wait for that one. One whose peer does not take what it was sent (ClientConnection::stalled)
// gets no more as long as another may be made. A connection is looked at before it is used again
// (ClientConnection::available) and let go after it was idle for limits::pool_idle_timeout, or before the
// peer's own limit where the peer said so, or closed one before (PeerPatience). Where a request crossed such
// a close, those that were idle for longer go at once: the next try begins on a connection of its own. Most
// recently used goes first, so that a quiet pool shrinks. One whose lifetime is over carries its exchanges to
// the end and is not used again.
//
// Where a Service has as many connections as it may, a request waits for one of its key to come free; the
// first of a key is made whatever the limit, for nobody would ever free one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/callback.h"
#include "base/gauge.h"
#include "base/limits.h"
#include "base/result.h"
#include "http/client_connection.h"
#include "http/peer_patience.h"
#include "io/loop.h"
#include "policy/service_load.h"

namespace weft::http {

class Pool;
struct PooledConnection;

// The use of one connection for one exchange. Dropping it gives the connection back.
class Lease {
 public:
  explicit Lease(PooledConnection& pooled) : pooled_(&pooled) {}
  Lease(Lease&& other) noexcept : pooled_(std::exchange(other.pooled_, nullptr)) {}
  Lease& operator=(Lease&& other) = delete;
  ~Lease();
  ClientConnection& connection() const;
  bool reused() const;  // it has carried an exchange before

 private:
  PooledConnection* pooled_;
};

// A request for a connection. Destroying it cancels: `done` will not run.
class PoolRequest {
 public:
  virtual ~PoolRequest() = default;
  // From now on it waits for a connection being made, and for the peer of one that was made to say how many
  // requests it takes, but for none to come free: it fails with Code::limit.
  virtual void stop_queueing() = 0;
  // Waits for one to come free.
  virtual bool queueing() const = 0;
};

// On whose account a request goes. Without a load nothing is counted and nothing limits.
struct PoolAccount {
  policy::ServiceLoad* load = nullptr;  // outlives the request
  policy::ServiceLimits limits;
};

struct PoolOptions {
  // How long a new connection may be used; nothing: without end. Null: none has an end.
  Function<std::optional<Duration>(const io::Stream& stream)> lifetime;
  // Whether the peer is one of ours: then ClientOptions::clean_close_is_refusal and ping_when_silent,
  // mesh_peer_limits, and requests before its SETTINGS. Null: none is.
  Function<bool(const io::Stream& stream)> is_ours;
  Duration idle_timeout = limits::pool_idle_timeout;
  std::size_t connections_max = 4096;  // in all; beyond it acquire fails with Code::limit
  ClientOptions client;
};

class Pool {
 public:
  using ConnectDone = Function<void(Result<std::unique_ptr<io::Stream>>)>;
  // Makes one attempt; what it returns cancels it when destroyed.
  using Connect = Function<std::unique_ptr<io::Connecting>(ConnectDone done)>;
  using Done = Function<void(Result<Lease>)>;

  Pool(io::Loop& loop, PoolOptions options = {});
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // A connection of that key and protocol with room, or a new one by `connect`. `done` runs exactly once,
  // never inline; errors are those of connecting, or limit: too many connections, or too many that wait.
  [[nodiscard]] std::unique_ptr<PoolRequest> acquire(std::string_view key, HttpProtocol protocol,
                                                     Connect connect, Done done, PoolAccount account = {});

  // What is idle closes now, what is in use when it comes back: after the own certificate changed, say.
  void retire_all();
  // Connections being made fail: what their peers would be believed by has changed.
  void abandon_attempts();
  // The same for the keys that are `chosen`: their endpoint is gone, say.
  void retire_if(const Function<bool(std::string_view key)>& chosen);
  // Those that are open, and of them those that nobody uses; any thread.
  std::size_t connections() const { return open_.value(); }
  std::size_t idle_connections() const { return idle_.value(); }

 private:
  friend class Lease;
  friend struct PooledConnection;
  class Attempt;
  class Request;
  using Slot = std::string;  // key and protocol
  // Of one slot: how many connections there are that take requests, or are being made, and who waits for one.
  struct Crowd {
    std::size_t connections = 0;
    std::deque<Request*> waiters;
  };

  Attempt& attempt(const Slot& slot, std::string_view key, HttpProtocol protocol, Connect connect,
                   policy::ConnectionPlace place);
  void connected(Attempt& attempt, Result<std::unique_ptr<io::Stream>> stream);
  void forget(Attempt& attempt);
  std::size_t connections_of(const Slot& slot) const;
  bool full() const { return connections_.size() + attempts_.size() >= options_.connections_max; }
  bool drain_one_idle();
  PooledConnection* choose(const Slot& slot, bool stalled_too) const;
  PooledConnection* take(const Slot& slot, bool stalled_too = false);
  PooledConnection& add(Attempt& attempt, std::unique_ptr<io::Stream> stream);
  void settle(PooledConnection& pooled);
  void retire(PooledConnection& pooled);
  void told(PooledConnection& pooled);
  void one_less(const Slot& slot);
  void look_again();
  void look_again_later();
  void fail_waiters(const Slot& slot, const Error& error);
  Request* next_waiter(const Slot& slot);
  void list(PooledConnection& pooled);
  void unlist(PooledConnection& pooled);
  void closed(PooledConnection& pooled);
  void learn_from(const PooledConnection& pooled, bool was_listed);
  void retire_idle(const Slot& slot);
  void remove(PooledConnection& pooled);

  io::Loop& loop_;
  PoolOptions options_;
  std::unordered_map<PooledConnection*, std::unique_ptr<PooledConnection>> connections_;
  std::unordered_map<Slot, std::vector<PooledConnection*>> listed_;  // with room for a request
  std::unordered_map<Attempt*, std::unique_ptr<Attempt>> attempts_;
  std::unordered_map<Slot, Attempt*> shared_;  // those that others may wait for as well
  PeerPatience patience_;
  std::unordered_map<Slot, Crowd> crowds_;  // of every slot that has a connection
  std::size_t waiting_ = 0;                 // in all crowds
  std::unique_ptr<io::Timer> look_again_timer_;
  std::uint64_t retirements_ = 0;
  std::uint64_t turns_ = 0;  // that were given to those who wait
  Gauge open_;
  Gauge idle_;
  Anchor anchor_;
};

}  // namespace weft::http
