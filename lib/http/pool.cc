#include "http/pool.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace weft::http {

struct PooledConnection final : ClientConnectionHandler {
  PooledConnection(Pool& owner, std::string_view its_key) : pool(owner), key(its_key) {}

  void connection_available() override {
    if (!leased) pool.became_available(*this);
  }
  void connection_closed(const Error*) override { pool.closed(*this); }

  Pool& pool;
  std::string key;
  bool leased = true;
  bool idle = false;     // in Pool::idle_
  bool retired = false;  // closes when it comes back
  bool gone = false;     // closed while leased
  bool reused = false;
  MonotonicTime use_until = MonotonicTime::max();
  std::unique_ptr<ClientConnection> connection;
  std::unique_ptr<io::Timer> expiry;
  Anchor anchor;
};

Lease::~Lease() {
  if (pooled_) pooled_->pool.released(*pooled_);
}

ClientConnection& Lease::connection() const { return *pooled_->connection; }

bool Lease::reused() const { return pooled_->reused; }

class Pool::Request final : public PoolRequest {
 public:
  Request(Pool& pool, std::string_view key, Connect connect, Done done)
      : pool_(pool),
        key_(key),
        began_(pool.retirements_),
        connect_(std::move(connect)),
        done_(std::move(done)) {}
  ~Request() override {
    if (connecting_) --pool_.connecting_;
    // Found but not handed over: it goes back.
    if (found_) const Lease back(*found_);
  }

  void give(PooledConnection& found) {
    found_ = &found;
    pool_.loop_.defer(anchor_.guard([this] {
      Lease lease(*std::exchange(found_, nullptr));
      // It may have closed since it was looked at, earlier in this turn: then a new one is made after all.
      if (!lease.connection().available()) return connect();
      finish(std::move(lease));
    }));
  }
  void refuse(Error error) {
    pool_.loop_.defer(anchor_.guard([this, error = std::move(error)] { finish(fail(error)); }));
  }
  void connect() {
    ++pool_.connecting_;
    connecting_ = true;
    attempt_ = connect_(anchor_.guard([this](Result<std::unique_ptr<io::Stream>> stream) {
      connecting_ = false;
      --pool_.connecting_;
      if (!stream) return finish(fail(stream.error()));
      PooledConnection& made = pool_.add(key_, *std::move(stream));
      made.retired = began_ != pool_.retirements_;  // good for this request, and for no other
      finish(Lease(made));
    }));
  }

 private:
  // The callback often destroys this request, so it must not live in it while it runs.
  void finish(Result<Lease> result) {
    const Done done = std::move(done_);
    done(std::move(result));
  }

  Pool& pool_;
  std::string key_;
  std::uint64_t began_;
  Connect connect_;
  Done done_;
  PooledConnection* found_ = nullptr;
  bool connecting_ = false;
  std::unique_ptr<io::Connecting> attempt_;
  Anchor anchor_;
};

Pool::Pool(io::Loop& loop, PoolOptions options) : loop_(loop), options_(std::move(options)) {}

Pool::~Pool() = default;

std::unique_ptr<PoolRequest> Pool::acquire(std::string_view key, Connect connect, Done done) {
  auto request = std::make_unique<Request>(*this, key, std::move(connect), std::move(done));
  if (PooledConnection* const found = take_idle(key)) {
    request->give(*found);
  } else if (connections_.size() + connecting_ >= options_.connections_max && !drain_one_idle()) {
    request->refuse(
        Error{Code::limit, str_cat("the pool holds ", connections_.size(), " connections, its limit")});
  } else {
    request->connect();
  }
  return request;
}

PooledConnection* Pool::take_idle(std::string_view key) {
  const auto found = idle_.find(std::string(key));
  if (found == idle_.end()) return nullptr;
  while (!found->second.empty()) {
    PooledConnection& pooled = *found->second.back();
    found->second.pop_back();
    pooled.idle = false;
    pooled.expiry->stop();
    if (pooled.connection->available()) {
      pooled.leased = pooled.reused = true;
      if (found->second.empty()) idle_.erase(found);
      return &pooled;
    }
    // The peer closed it meanwhile; connection_closed takes it away.
    pooled.connection->drain();
  }
  idle_.erase(found);
  return nullptr;
}

// Room for a connection that is needed, at the cost of one that only may be.
bool Pool::drain_one_idle() {
  if (idle_.empty()) return false;
  PooledConnection& pooled = *idle_.begin()->second.front();
  forget_idle(pooled);
  pooled.expiry->stop();
  pooled.connection->drain();
  return true;
}

PooledConnection& Pool::add(std::string_view key, std::unique_ptr<io::Stream> stream) {
  auto owned = std::make_unique<PooledConnection>(*this, key);
  PooledConnection& pooled = *owned;
  if (options_.lifetime) {
    if (const auto lifetime = options_.lifetime(*stream)) pooled.use_until = loop_.now() + *lifetime;
  }
  pooled.connection = make_http1_client_connection(loop_, std::move(stream), pooled, options_.client);
  pooled.expiry = loop_.make_timer(pooled.anchor.guard([&pooled] {
    pooled.pool.forget_idle(pooled);
    pooled.connection->drain();
  }));
  connections_.emplace(&pooled, std::move(owned));
  return pooled;
}

void Pool::released(PooledConnection& pooled) {
  pooled.leased = false;
  if (pooled.gone) return remove(pooled);
  if (pooled.connection->idle()) became_available(pooled);
}

void Pool::became_available(PooledConnection& pooled) {
  if (pooled.idle || pooled.gone) return;
  const Duration left = pooled.use_until - loop_.now();
  if (pooled.retired || left <= Duration::zero()) return pooled.connection->drain();
  pooled.idle = true;
  idle_[pooled.key].push_back(&pooled);
  pooled.expiry->start(std::min(left, pooled.connection->idle_limit(options_.idle_timeout)));
}

void Pool::forget_idle(PooledConnection& pooled) {
  if (!std::exchange(pooled.idle, false)) return;
  const auto found = idle_.find(pooled.key);
  std::erase(found->second, &pooled);
  if (found->second.empty()) idle_.erase(found);
}

void Pool::closed(PooledConnection& pooled) {
  forget_idle(pooled);
  pooled.gone = true;
  // A lease that still points at it takes it away when it is dropped.
  if (!pooled.leased) remove(pooled);
}

void Pool::remove(PooledConnection& pooled) {
  auto node = connections_.extract(&pooled);
  WEFT_CHECK(!node.empty());
  loop_.delete_later(std::move(node.mapped()));
}

void Pool::retire_if(const Function<bool(std::string_view)>& chosen) {
  ++retirements_;
  for (const auto& [key, pooled] : connections_) {
    if (!chosen(pooled->key)) continue;
    pooled->retired = true;
    if (!pooled->idle) continue;
    forget_idle(*pooled);
    pooled->expiry->stop();
    pooled->connection->drain();
  }
}

void Pool::retire_all() {
  retire_if([](std::string_view) { return true; });
}

std::size_t Pool::idle_connections() const {
  std::size_t count = 0;
  for (const auto& [key, idle] : idle_) count += idle.size();
  return count;
}

}  // namespace weft::http
