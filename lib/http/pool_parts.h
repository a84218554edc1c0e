// The parts of a Pool: a connection that it keeps, one that is being made, and a request for one. Internal to
// pool.cc, which keeps connections, and pool_request.cc, which makes them for those who wait.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/pool.h"

namespace weft::http {

struct PooledConnection final : ClientConnectionHandler {
  PooledConnection(Pool& owner, std::string_view its_key, std::string its_slot)
      : pool(owner), key(its_key), slot(std::move(its_slot)) {}

  void connection_available() override { pool.settle(*this); }
  void connection_closed(const Error*) override { pool.closed(*this); }
  void lease() {
    ++leases;
    wake();
  }
  void wake() {
    expiry->stop();
    if (std::exchange(idle, false)) --pool.idle_;
  }

  Pool& pool;
  const std::string key;
  const std::string slot;
  std::size_t leases = 0;
  bool listed = false;   // in Pool::listed_
  bool counted = true;   // in Pool::crowds_
  bool retired = false;  // takes no more, and closes when its last lease comes back
  bool gone = false;     // closed while leased
  bool told = false;     // nobody waits any more for it to say how many requests it takes
  bool ours = false;     // PoolOptions::is_ours
  bool reused = false;
  bool idle = false;           // listed, and nobody has a lease: `expiry` runs
  MonotonicTime idle_since{};  // where nobody has a lease
  Duration idle_before{0};     // and how long that was when it was last taken
  MonotonicTime use_until = MonotonicTime::max();
  policy::ConnectionPlace place;
  std::unique_ptr<ClientConnection> connection;
  std::unique_ptr<io::Timer> expiry;  // runs while nobody has a lease
  Anchor anchor;
};

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
  bool abandoned = false;
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
          PoolAccount account);
  ~Request() override;
  void stop_queueing() override;
  bool queueing() const override { return in_crowd_ && !waits_to_be_told(); }

  void begin();
  void connect();
  // For `made` to say how many requests it takes.
  void wait_for(const PooledConnection& made);
  // `made` has, or is gone. Whether this one waited for it.
  bool told_by(const PooledConnection& made) {
    if (untold_ != &made) return false;
    untold_ = nullptr;
    return true;
  }
  std::uint64_t turn() const { return turn_; }
  bool queues() const { return queues_; }
  bool in_crowd() const { return in_crowd_; }
  void leave_crowd();
  void left_crowd();
  // A lease of it, counted already.
  void take(PooledConnection& pooled);
  // The callback often destroys this request, so it must not live in it while it runs.
  void finish(Result<Lease> result);

 private:
  bool take_stalled();
  bool waits_to_be_told() const { return untold_ != nullptr && !untold_->told; }
  void wait();
  void refuse_to_queue();
  void refuse(std::string why);
  // False: as many connections as there may be, and one of this slot to wait for.
  bool find_place(policy::ConnectionPlace& place);

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
  std::uint64_t turn_ = 0;  // among those who wait, from the first time on
  const PooledConnection* untold_ = nullptr;
  PooledConnection* found_ = nullptr;
  Attempt* attempt_ = nullptr;
  Anchor anchor_;
};

}  // namespace weft::http
