#include "http/pool.h"

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"

namespace weft::http {

struct PooledConnection final : ClientConnectionHandler {
  PooledConnection(Pool& owner, std::string_view its_key, std::string its_slot)
      : pool(owner), key(its_key), slot(std::move(its_slot)) {}

  void connection_available() override { pool.settle(*this); }
  void connection_closed(const Error*) override { pool.closed(*this); }

  Pool& pool;
  const std::string key;
  const std::string slot;
  std::size_t leases = 0;
  bool listed = false;   // in Pool::listed_
  bool retired = false;  // closes when its last lease comes back
  bool gone = false;     // closed while leased
  bool ours = false;     // PoolOptions::is_ours
  bool reused = false;
  MonotonicTime idle_since{};  // where nobody has a lease
  Duration idle_before{0};     // and how long that was when it was last taken
  MonotonicTime use_until = MonotonicTime::max();
  policy::ConnectionPlace place;
  std::unique_ptr<ClientConnection> connection;
  std::unique_ptr<io::Timer> expiry;  // runs while nobody has a lease
  Anchor anchor;
};

Lease::~Lease() {
  if (pooled_ == nullptr) return;
  --pooled_->leases;
  pooled_->pool.settle(*pooled_);
}

ClientConnection& Lease::connection() const { return *pooled_->connection; }

bool Lease::reused() const { return pooled_->reused; }

// A connection being made, and who waits for it.
class Pool::Attempt {
 public:
  Attempt(Pool& pool, Slot its_slot, std::string_view its_key, HttpProtocol its_protocol, Connect connect,
          policy::ConnectionPlace its_place)
      : slot(std::move(its_slot)),
        key(its_key),
        protocol(its_protocol),
        retirements(pool.retirements_),
        place(std::move(its_place)),
        connect_(std::move(connect)) {
    connecting_ = connect_(anchor_.guard([this, &pool](Result<std::unique_ptr<io::Stream>> stream) {
      pool.connected(*this, std::move(stream));
    }));
  }

  const Slot slot;
  const std::string key;
  const HttpProtocol protocol;
  const std::uint64_t retirements;  // when it began
  policy::ConnectionPlace place;
  std::vector<Request*> waiters;

 private:
  Connect connect_;
  std::unique_ptr<io::Connecting> connecting_;
  Anchor anchor_;
};

class Pool::Request final : public PoolRequest {
 public:
  Request(Pool& pool, std::string_view key, HttpProtocol protocol, Connect connect, Done done,
          PoolAccount account)
      : pool_(pool),
        key_(key),
        slot_(str_cat(key, protocol == HttpProtocol::http2 ? " h2" : "")),
        protocol_(protocol),
        connect_(std::move(connect)),
        done_(std::move(done)),
        account_(account) {}
  ~Request() override {
    leave_crowd();
    if (found_ != nullptr) const Lease back(*found_);  // not handed over: it goes back
    if (attempt_ == nullptr) return;
    std::erase(attempt_->waiters, this);
    if (attempt_->waiters.empty()) pool_.forget(*attempt_);
  }

  void stop_queueing() override {
    queues_ = false;
    if (in_crowd_) refuse_to_queue();
  }
  void begin() {
    PooledConnection* const found = pool_.take(slot_);
    if (found == nullptr) return connect();
    take(*found);
  }
  void left_crowd() { in_crowd_ = false; }
  // A lease of it, counted already.
  void take(PooledConnection& pooled) {
    found_ = &pooled;
    pool_.loop_.defer(anchor_.guard([this] {
      Lease lease(*std::exchange(found_, nullptr));
      // It may have closed since it was looked at, earlier in this turn: then a new one is made after all.
      if (!lease.connection().available()) return connect();
      finish(std::move(lease));
    }));
  }
  // The callback often destroys this request, so it must not live in it while it runs.
  void finish(Result<Lease> result) {
    attempt_ = nullptr;
    pending_.give_back();
    const Done done = std::move(done_);
    done(std::move(result));
  }

  void connect() {
    if (account_.load != nullptr && !pending_ &&
        !pending_.take(account_.load->pending, account_.limits.pending))
      return refuse(str_cat(account_.limits.pending, " requests wait for a connection, the limit"));
    const auto shared = pool_.shared_.find(slot_);
    policy::ConnectionPlace place;
    if (shared != pool_.shared_.end()) {
      attempt_ = shared->second;
    } else if (!find_place(place)) {
      return queues_ ? wait() : refuse_to_queue();
    } else if (pool_.full() && !pool_.drain_one_idle()) {
      return refuse(str_cat("the pool holds ", pool_.connections_.size(), " connections, its limit"));
    } else {
      attempt_ = &pool_.attempt(slot_, key_, protocol_, std::move(connect_), std::move(place));
    }
    attempt_->waiters.push_back(this);
    if (attempt_->waiters.size() == limits::http2_streams_max) pool_.shared_.erase(slot_);
  }

 private:
  void wait() {
    in_crowd_ = true;
    std::deque<Request*>& waiters = pool_.crowds_.at(slot_).waiters;
    // Who waited already, and was woken in vain, is still the first.
    if (std::exchange(waited_, true))
      waiters.push_front(this);
    else
      waiters.push_back(this);
  }
  void leave_crowd() {
    if (std::exchange(in_crowd_, false)) std::erase(pool_.crowds_.at(slot_).waiters, this);
  }
  void refuse_to_queue() {
    leave_crowd();
    refuse(str_cat(account_.limits.connections, " connections are open, the limit"));
  }
  void refuse(std::string why) {
    pool_.loop_.defer(anchor_.guard([this, why = std::move(why)] { finish(fail(Code::limit, why)); }));
  }
  // False: as many connections as there may be, and one of this slot to wait for.
  bool find_place(policy::ConnectionPlace& place) {
    if (account_.load == nullptr) return true;
    const auto crowd = pool_.crowds_.find(slot_);
    const bool first = crowd == pool_.crowds_.end() || crowd->second.connections == 0;
    return place.take(*account_.load, account_.limits.connections, first);
  }

  Pool& pool_;
  std::string key_;
  Slot slot_;
  HttpProtocol protocol_;
  Connect connect_;
  Done done_;
  PoolAccount account_;
  policy::Place pending_;  // while it waits
  bool queues_ = true;
  bool in_crowd_ = false;
  bool waited_ = false;
  PooledConnection* found_ = nullptr;
  Attempt* attempt_ = nullptr;
  Anchor anchor_;
};

Pool::Pool(io::Loop& loop, PoolOptions options) : loop_(loop), options_(std::move(options)) {}

Pool::~Pool() = default;

std::unique_ptr<PoolRequest> Pool::acquire(std::string_view key, HttpProtocol protocol, Connect connect,
                                           Done done, PoolAccount account) {
  auto request =
      std::make_unique<Request>(*this, key, protocol, std::move(connect), std::move(done), account);
  request->begin();
  return request;
}

// ---- making connections ----

Pool::Attempt& Pool::attempt(const Slot& slot, std::string_view key, HttpProtocol protocol, Connect connect,
                             policy::ConnectionPlace place) {
  auto owned = std::make_unique<Attempt>(*this, slot, key, protocol, std::move(connect), std::move(place));
  Attempt& made = *owned;
  attempts_.emplace(&made, std::move(owned));
  ++crowds_[slot].connections;
  if (protocol == HttpProtocol::http2) shared_[slot] = &made;
  return made;
}

void Pool::forget(Attempt& attempt) {
  const auto shared = shared_.find(attempt.slot);
  if (shared != shared_.end() && shared->second == &attempt) shared_.erase(shared);
  auto node = attempts_.extract(&attempt);
  // It lives to the end of the turn, in which it may still connect, or lose its last waiter.
  if (node.empty()) return;
  attempt.place.give_back();
  loop_.delete_later(std::move(node.mapped()));
  one_less(attempt.slot);
}

void Pool::connected(Attempt& attempt, Result<std::unique_ptr<io::Stream>> stream) {
  const Error failure = stream ? Error() : stream.error();
  PooledConnection* const made = stream ? &add(attempt, *std::move(stream)) : nullptr;
  // Where nothing connects, nothing comes free.
  const auto crowd = crowds_.find(attempt.slot);
  if (made == nullptr && crowd != crowds_.end() && crowd->second.connections == 1)
    fail_waiters(attempt.slot, failure);
  forget(attempt);
  std::vector<Request*>& waiters = attempt.waiters;
  while (!waiters.empty()) {
    Request& next = *waiters.front();
    waiters.erase(waiters.begin());
    if (made == nullptr) {
      next.finish(fail(failure));
    } else {
      ++made->leases;
      next.finish(Lease(*made));
    }
  }
}

PooledConnection& Pool::add(Attempt& attempt, std::unique_ptr<io::Stream> stream) {
  auto owned = std::make_unique<PooledConnection>(*this, attempt.key, attempt.slot);
  PooledConnection& pooled = *owned;
  pooled.place = std::move(attempt.place);
  ++crowds_[attempt.slot].connections;
  // Good for those who waited, and for nobody else.
  pooled.retired = attempt.retirements != retirements_;
  if (options_.lifetime) {
    if (const auto lifetime = options_.lifetime(*stream)) pooled.use_until = loop_.now() + *lifetime;
  }
  const auto make =
      attempt.protocol == HttpProtocol::http2 ? make_http2_client_connection : make_http1_client_connection;
  ClientOptions client = options_.client;
  pooled.ours = options_.is_ours && options_.is_ours(*stream);
  client.clean_close_is_refusal = pooled.ours;
  pooled.connection = make(loop_, std::move(stream), pooled, client);
  pooled.expiry = loop_.make_timer(pooled.anchor.guard([&pooled] {
    pooled.pool.unlist(pooled);
    pooled.connection->drain();
  }));
  connections_.emplace(&pooled, std::move(owned));
  // Others may use it from now on, where it takes several.
  loop_.defer(pooled.anchor.guard([&pooled] { pooled.pool.settle(pooled); }));
  return pooled;
}

// ---- keeping them ----

PooledConnection* Pool::take(const Slot& slot) {
  for (auto found = listed_.find(slot); found != listed_.end(); found = listed_.find(slot)) {
    PooledConnection& pooled = *found->second.back();
    if (loop_.now() < pooled.use_until && pooled.connection->available()) {
      pooled.reused = true;
      if (pooled.leases == 0) pooled.idle_before = loop_.now() - pooled.idle_since;
      pooled.expiry->stop();
      if (++pooled.leases >= pooled.connection->requests_max()) unlist(pooled);
      return &pooled;
    }
    // Too old, or the peer closed it meanwhile; connection_closed takes it away.
    unlist(pooled);
    if (pooled.leases == 0) pooled.connection->drain();
  }
  return nullptr;
}

// Where it stands after something changed: with room for a request, without, or over.
void Pool::settle(PooledConnection& pooled) {
  if (pooled.gone) {
    if (pooled.leases == 0) remove(pooled);
    return;
  }
  const std::size_t room = pooled.connection->requests_max();
  if (pooled.retired || loop_.now() >= pooled.use_until || room == 0) {
    unlist(pooled);
    if (pooled.leases == 0) pooled.connection->drain();
    return;
  }
  // The one exchange of an HTTP/1 connection may outlast its lease; connection_available() follows.
  if (pooled.leases >= room || (room == 1 && !pooled.connection->idle())) return unlist(pooled);
  while (pooled.leases < room) {
    Request* const next = next_waiter(pooled.slot);
    if (next == nullptr) return list(pooled);
    ++pooled.leases;
    pooled.reused = true;
    pooled.expiry->stop();
    next->take(pooled);
  }
  unlist(pooled);
}

// ---- those who wait for one of them ----

Pool::Request* Pool::next_waiter(const Slot& slot) {
  const auto crowd = crowds_.find(slot);
  if (crowd == crowds_.end() || crowd->second.waiters.empty()) return nullptr;
  Request* const next = crowd->second.waiters.front();
  crowd->second.waiters.pop_front();
  next->left_crowd();
  return next;
}

// One of a slot is gone: the next may take its place, and if it was the last, somebody must.
void Pool::one_less(const Slot& slot) {
  --crowds_.at(slot).connections;
  do {
    Request* const next = next_waiter(slot);
    if (next == nullptr) break;
    next->connect();
  } while (crowds_.at(slot).connections == 0);
  const auto crowd = crowds_.find(slot);
  if (crowd->second.connections == 0) crowds_.erase(crowd);
}

void Pool::fail_waiters(const Slot& slot, const Error& error) {
  while (Request* const next = next_waiter(slot)) next->finish(fail(error));
}

void Pool::list(PooledConnection& pooled) {
  if (pooled.leases == 0 && !pooled.expiry->active()) {
    pooled.idle_since = loop_.now();
    const Duration left = pooled.use_until - pooled.idle_since;
    const Duration seen = patience_.limit(pooled.slot, pooled.idle_since).value_or(options_.idle_timeout);
    pooled.expiry->start(std::min({left, seen, pooled.connection->idle_limit(options_.idle_timeout)}));
  }
  if (!std::exchange(pooled.listed, true)) listed_[pooled.slot].push_back(&pooled);
}

void Pool::unlist(PooledConnection& pooled) {
  pooled.expiry->stop();
  if (!std::exchange(pooled.listed, false)) return;
  const auto found = listed_.find(pooled.slot);
  std::erase(found->second, &pooled);
  if (found->second.empty()) listed_.erase(found);
}

// Room for a connection that is needed, at the cost of one that only may be.
bool Pool::drain_one_idle() {
  for (const auto& [slot, listed] : listed_) {
    const auto idle = std::find_if(listed.begin(), listed.end(),
                                   [](const PooledConnection* each) { return each->leases == 0; });
    if (idle == listed.end()) continue;
    PooledConnection& pooled = **idle;
    unlist(pooled);
    pooled.connection->drain();
    return true;
  }
  return false;
}

void Pool::closed(PooledConnection& pooled) {
  const bool was_listed = pooled.listed;
  unlist(pooled);
  learn_from(pooled, was_listed);
  pooled.gone = true;
  pooled.place.give_back();
  one_less(pooled.slot);
  // A lease that still points at it takes it away when it is dropped.
  if (pooled.leases == 0) remove(pooled);
}

// What its end says of the peer: closed while idle, or found closing by a request that came too late to see
// it.
void Pool::learn_from(const PooledConnection& pooled, bool was_listed) {
  if (pooled.connection->raced()) {
    patience_.closed_after(pooled.slot, pooled.idle_before, loop_.now());
    retire_idle(pooled.slot);
  } else if (was_listed && pooled.leases == 0 && !pooled.ours) {  // ours are known to wait longer than we do
    patience_.closed_after(pooled.slot, loop_.now() - pooled.idle_since, loop_.now());
  }
}

void Pool::retire_idle(const Slot& slot) {
  const auto found = listed_.find(slot);
  if (found == listed_.end()) return;
  const std::vector<PooledConnection*> listed = found->second;
  for (PooledConnection* const each : listed) {
    if (each->leases > 0) continue;
    unlist(*each);
    each->connection->drain();
  }
}

void Pool::remove(PooledConnection& pooled) {
  auto node = connections_.extract(&pooled);
  if (!node.empty()) loop_.delete_later(std::move(node.mapped()));
}

void Pool::retire_if(const Function<bool(std::string_view)>& chosen) {
  ++retirements_;
  for (const auto& [key, pooled] : connections_) {
    if (!chosen(pooled->key)) continue;
    pooled->retired = true;
    settle(*pooled);
  }
}

void Pool::retire_all() {
  retire_if([](std::string_view) { return true; });
}

std::size_t Pool::idle_connections() const {
  std::size_t count = 0;
  for (const auto& [slot, listed] : listed_) {
    count += static_cast<std::size_t>(std::count_if(
        listed.begin(), listed.end(), [](const PooledConnection* each) { return each->leases == 0; }));
  }
  return count;
}

}  // namespace weft::http
