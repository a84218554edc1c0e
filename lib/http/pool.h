// Client connections kept for the next request, by key: endpoint and everything else that must be equal for
// two requests to share a connection. One pool a worker; lives on its loop's thread and outlives its leases.
//
// A connection is looked at before it is used again (ClientConnection::available) and let go after it was
// idle for limits::pool_idle_timeout, or before the peer's own limit where the peer said so. Most recently
// used goes first, so that a quiet pool shrinks. One whose lifetime is over carries its exchange to the end
// and is not used again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/callback.h"
#include "base/limits.h"
#include "base/result.h"
#include "http/client_connection.h"
#include "io/loop.h"

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
};

struct PoolOptions {
  // How long a new connection may be used; nothing: without end. Null: none has an end.
  Function<std::optional<Duration>(const io::Stream& stream)> lifetime;
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

  // An idle connection of that key, or a new one by `connect`. `done` runs exactly once, never inline; errors
  // are those of connecting, or limit.
  [[nodiscard]] std::unique_ptr<PoolRequest> acquire(std::string_view key, Connect connect, Done done);

  // What is idle closes now, what is in use when it comes back: after the own certificate changed, say.
  void retire_all();
  // The same for the keys that are `chosen`: their endpoint is gone, say.
  void retire_if(const Function<bool(std::string_view key)>& chosen);
  std::size_t connections() const { return connections_.size(); }
  std::size_t idle_connections() const;

 private:
  friend class Lease;
  friend struct PooledConnection;
  class Request;

  bool drain_one_idle();
  PooledConnection* take_idle(std::string_view key);
  PooledConnection& add(std::string_view key, std::unique_ptr<io::Stream> stream);
  void released(PooledConnection& pooled);
  void became_available(PooledConnection& pooled);
  void forget_idle(PooledConnection& pooled);
  void closed(PooledConnection& pooled);
  void remove(PooledConnection& pooled);

  io::Loop& loop_;
  PoolOptions options_;
  std::unordered_map<PooledConnection*, std::unique_ptr<PooledConnection>> connections_;
  std::unordered_map<std::string, std::vector<PooledConnection*>> idle_;
  std::size_t connecting_ = 0;
  std::uint64_t retirements_ = 0;
  Anchor anchor_;
};

}  // namespace weft::http
