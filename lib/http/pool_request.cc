// Those who wait for a connection, and the connections made for them.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "http/pool_parts.h"

namespace weft::http {
namespace {

constexpr auto look_again_interval = std::chrono::milliseconds(100);

}  // namespace

// ---- a request ----

Pool::Request::Request(Pool& pool, std::string_view key, HttpProtocol protocol, Connect connect, Done done,
                       PoolAccount account)
    : pool_(pool),
      key_(key),
      slot_(str_cat(key, protocol == HttpProtocol::http2 ? " h2" : "")),
      protocol_(protocol),
      connect_(std::move(connect)),
      done_(std::move(done)),
      account_(account) {}

Pool::Request::~Request() {
  leave_crowd();
  if (found_ != nullptr) const Lease back(*found_);  // not handed over: it goes back
  if (attempt_ == nullptr) return;
  std::erase(attempt_->waiters, this);
  if (attempt_->waiters.empty()) pool_.forget(*attempt_);
}

void Pool::Request::begin() {
  PooledConnection* const found = pool_.take(slot_);
  if (found == nullptr) return connect();
  take(*found);
}

void Pool::Request::take(PooledConnection& pooled) {
  attempt_ = nullptr;
  untold_ = nullptr;
  found_ = &pooled;
  pool_.loop_.defer(anchor_.guard([this] {
    std::optional<Lease> lease(std::in_place, *std::exchange(found_, nullptr));
    ClientConnection& connection = lease->connection();
    if (connection.available()) return finish(*std::move(lease));
    // What changed in this turn may be room alone. Else the peer closed it: connection_closed takes it away.
    if (!connection.ready()) {
      lease.reset();  // it may be the last of its slot
      return connect();
    }
    connection.drain();
    lease.reset();
    begin();
  }));
}

void Pool::Request::finish(Result<Lease> result) {
  attempt_ = nullptr;
  pending_.give_back();
  const Done done = std::move(done_);
  done(std::move(result));
}

void Pool::Request::connect() {
  if (account_.load != nullptr && !pending_ &&
      !pending_.take(account_.load->pending, account_.limits.pending)) {
    if (take_stalled()) return;
    return refuse(str_cat(account_.limits.pending, " requests wait for a connection, the limit"));
  }
  const auto shared = pool_.shared_.find(slot_);
  policy::ConnectionPlace place;
  if (shared != pool_.shared_.end()) {
    attempt_ = shared->second;
  } else if (!find_place(place)) {
    if (take_stalled()) return;
    // The look at it may have shown that the last one takes no more, and so made somebody connect.
    if (pool_.connections_of(slot_) == 0 || pool_.shared_.contains(slot_)) return connect();
    return queues_ || waits_to_be_told() ? wait() : refuse_to_queue();
  } else if (pool_.full() && !pool_.drain_one_idle()) {
    if (take_stalled()) return;
    return refuse(str_cat("the pool holds ", pool_.connections_.size(), " connections, its limit"));
  } else {
    attempt_ = &pool_.attempt(slot_, key_, protocol_, std::move(connect_), std::move(place));
  }
  untold_ = nullptr;
  attempt_->waiters.push_back(this);
  if (attempt_->waiters.size() == limits::http2_streams_max) pool_.shared_.erase(slot_);
}

// Where there may be no other: what has no body, or a small one while the window has some room, comes
// through.
bool Pool::Request::take_stalled() {
  PooledConnection* const found = pool_.take(slot_, true);
  if (found != nullptr) take(*found);
  return found != nullptr;
}

bool Pool::Request::find_place(policy::ConnectionPlace& place) {
  if (account_.load == nullptr) return true;
  return place.take(*account_.load, account_.limits.connections, pool_.connections_of(slot_) == 0);
}

void Pool::Request::wait_for(const PooledConnection& made) {
  untold_ = &made;
  wait();
}

void Pool::Request::wait() {
  attempt_ = nullptr;
  in_crowd_ = true;
  if (pool_.waiting_++ == 0) pool_.look_again_later();
  std::deque<Request*>& waiters = pool_.crowds_.at(slot_).waiters;
  // Who waited already, and was woken in vain, keeps its turn.
  if (turn_ == 0) turn_ = ++pool_.turns_;
  waiters.insert(std::ranges::upper_bound(waiters, turn_, {}, &Request::turn), this);
}

void Pool::Request::leave_crowd() {
  if (!in_crowd_) return;
  left_crowd();
  std::erase(pool_.crowds_.at(slot_).waiters, this);
}

void Pool::Request::left_crowd() {
  in_crowd_ = false;
  --pool_.waiting_;
}

void Pool::Request::stop_queueing() {
  queues_ = false;
  if (queueing()) refuse_to_queue();
}

void Pool::Request::refuse_to_queue() {
  leave_crowd();
  refuse(str_cat(account_.limits.connections, " connections are open, the limit"));
}

void Pool::Request::refuse(std::string why) {
  pool_.loop_.defer(anchor_.guard([this, why = std::move(why)] { finish(fail(Code::limit, why)); }));
}

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

void Pool::abandon_attempts() {
  for (const auto& [key, attempt] : attempts_) attempt->abandoned = true;
}

void Pool::connected(Attempt& attempt, Result<std::unique_ptr<io::Stream>> stream) {
  if (stream && attempt.abandoned) stream = fail(Code::refused, "the roots of trust changed meanwhile");
  const Error failure = stream ? Error() : stream.error();
  PooledConnection* const made = stream ? &add(attempt, *std::move(stream)) : nullptr;
  // Where nothing connects, nothing comes free.
  if (made == nullptr && connections_of(attempt.slot) == 1) fail_waiters(attempt.slot, failure);
  forget(attempt);
  std::vector<Request*>& waiters = attempt.waiters;
  while (!waiters.empty()) {
    Request& next = *waiters.front();
    waiters.erase(waiters.begin());
    if (made == nullptr) {
      next.finish(fail(failure));
    } else if (made->leases == 0 || made->leases < made->connection->requests_max() || made->retired) {
      made->lease();
      next.finish(Lease(*made));
    } else if (PooledConnection* const other = take(attempt.slot)) {
      next.take(*other);
    } else {
      next.wait_for(*made);
    }
  }
}

// ---- those who wait for one of them ----

std::size_t Pool::connections_of(const Slot& slot) const {
  const auto crowd = crowds_.find(slot);
  return crowd == crowds_.end() ? 0 : crowd->second.connections;
}

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
  // Whoever is woken may find that another of the slot takes no more, and come back here.
  do {
    Request* const next = next_waiter(slot);
    if (next == nullptr) break;
    next->connect();
  } while (connections_of(slot) == 0);
  if (connections_of(slot) == 0) crowds_.erase(slot);
  look_again();
}

// How many requests it takes is known now, or no matter any more: who waited for that looks for another.
void Pool::told(PooledConnection& pooled) {
  if (std::exchange(pooled.told, true)) return;
  const auto crowd = crowds_.find(pooled.slot);
  if (crowd == crowds_.end()) return;
  // connect() finishes nobody inline, so all of them are there to the end.
  const std::deque<Request*> waited = crowd->second.waiters;
  if (std::ranges::count_if(waited, [&](Request* each) { return each->told_by(pooled); }) == 0) return;
  // In turn, as long as there is one to be had.
  while (Request* const next = next_waiter(pooled.slot)) {
    next->connect();
    if (next->in_crowd()) break;
  }
  for (Request* const each : waited) {
    if (each->queues() || !each->in_crowd()) continue;
    each->leave_crowd();
    each->connect();
  }
}

// A place among the connections of a Service may come free in any slot, and on any worker.
void Pool::look_again() {
  if (waiting_ == 0) return;
  std::vector<Request*> first;
  for (const auto& [slot, crowd] : crowds_) {
    if (Request* const next = next_waiter(slot)) first.push_back(next);
  }
  for (Request* const each : first) each->connect();  // which finishes nobody inline
}

// Of what other workers do nobody tells us.
void Pool::look_again_later() {
  if (!look_again_timer_) {
    look_again_timer_ = loop_.make_timer(anchor_.guard([this] {
      look_again();
      if (waiting_ > 0) look_again_timer_->start(look_again_interval);
    }));
  }
  look_again_timer_->start(look_again_interval);
}

void Pool::fail_waiters(const Slot& slot, const Error& error) {
  while (Request* const next = next_waiter(slot)) next->finish(fail(error));
}

}  // namespace weft::http
