#include "http/pool.h"

#include <algorithm>

#include "http/pool_parts.h"

namespace weft::http {
namespace {

// Too old, or its peer or its owner wants it to go.
bool takes_no_more(const PooledConnection& pooled, MonotonicTime now) {
  return pooled.retired || now >= pooled.use_until || pooled.connection->requests_max() == 0;
}

}  // namespace

Lease::~Lease() {
  if (pooled_ == nullptr) return;
  --pooled_->leases;
  pooled_->pool.settle(*pooled_);
}

ClientConnection& Lease::connection() const { return *pooled_->connection; }

bool Lease::reused() const { return pooled_->reused; }

Pool::Pool(io::Loop& loop, PoolOptions options) : loop_(loop), options_(std::move(options)) {}

Pool::~Pool() = default;

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
  if (pooled.ours) {
    client.clean_close_is_refusal = client.ping_when_silent = true;
    client.limits = codec::mesh_peer_limits;
    client.requests_before_settings = limits::http2_streams_max;
  }
  pooled.connection = make(loop_, std::move(stream), pooled, client);
  pooled.expiry = loop_.make_timer(pooled.anchor.guard([&pooled] {
    pooled.pool.unlist(pooled);
    pooled.connection->drain();
  }));
  connections_.emplace(&pooled, std::move(owned));
  ++open_;
  // Others may use it from now on, where it takes several.
  loop_.defer(pooled.anchor.guard([&pooled] { pooled.pool.settle(pooled); }));
  return pooled;
}

// ---- keeping them ----

// It takes no more requests: for those who wait it is one less.
void Pool::retire(PooledConnection& pooled) {
  pooled.retired = true;
  unlist(pooled);
  if (pooled.leases == 0) pooled.connection->drain();
  if (std::exchange(pooled.counted, false)) one_less(pooled.slot);
  told(pooled);
}

PooledConnection* Pool::choose(const Slot& slot, bool stalled_too) const {
  const auto found = listed_.find(slot);
  if (found == listed_.end()) return nullptr;
  const std::vector<PooledConnection*>& listed = found->second;
  const auto last = std::find_if(listed.rbegin(), listed.rend(),
                                 [](const PooledConnection* each) { return !each->connection->stalled(); });
  if (last != listed.rend()) return *last;
  return stalled_too ? listed.back() : nullptr;
}

PooledConnection* Pool::take(const Slot& slot, bool stalled_too) {
  while (PooledConnection* const chosen = choose(slot, stalled_too)) {
    PooledConnection& pooled = *chosen;
    if (loop_.now() < pooled.use_until && pooled.connection->ready()) {
      pooled.reused = true;
      if (pooled.leases == 0) pooled.idle_before = loop_.now() - pooled.idle_since;
      pooled.lease();
      if (pooled.leases >= pooled.connection->requests_max()) unlist(pooled);
      return &pooled;
    }
    takes_no_more(pooled, loop_.now()) ? retire(pooled) : unlist(pooled);
  }
  return nullptr;
}

// Where it stands after something changed: with room for a request, without, or over.
void Pool::settle(PooledConnection& pooled) {
  if (pooled.gone) {
    if (pooled.leases == 0) remove(pooled);
    return;
  }
  if (takes_no_more(pooled, loop_.now())) return retire(pooled);
  const std::size_t room = pooled.connection->requests_max();
  // The one exchange of an HTTP/1 connection may outlast its lease; connection_available() follows.
  const bool busy = room == 1 && !pooled.connection->idle();
  while (pooled.leases < room && !busy) {
    Request* const next = next_waiter(pooled.slot);
    if (next == nullptr) return list(pooled);
    pooled.lease();
    pooled.reused = true;
    next->take(pooled);
  }
  unlist(pooled);
  if (pooled.connection->requests_max_known()) told(pooled);
}

void Pool::list(PooledConnection& pooled) {
  if (pooled.leases == 0 && !std::exchange(pooled.idle, true)) {
    ++idle_;
    pooled.idle_since = loop_.now();
    const Duration left = pooled.use_until - pooled.idle_since;
    const Duration seen = patience_.limit(pooled.slot, pooled.idle_since).value_or(options_.idle_timeout);
    pooled.expiry->start(std::min({left, seen, pooled.connection->idle_limit(options_.idle_timeout)}));
  }
  if (!std::exchange(pooled.listed, true)) listed_[pooled.slot].push_back(&pooled);
}

void Pool::unlist(PooledConnection& pooled) {
  pooled.wake();
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
  std::exchange(pooled.counted, false) ? one_less(pooled.slot) : look_again();
  told(pooled);
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
  if (node.empty()) return;
  --open_;
  loop_.delete_later(std::move(node.mapped()));
}

void Pool::retire_if(const Function<bool(std::string_view)>& chosen) {
  ++retirements_;
  for (const auto& [key, pooled] : connections_) {
    if (!chosen(pooled->key)) continue;
    if (!pooled->gone) retire(*pooled);
  }
}

void Pool::retire_all() {
  retire_if([](std::string_view) { return true; });
}

}  // namespace weft::http
