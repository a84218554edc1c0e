// Simulated hosts, their loops and the network between them, in one process, on one thread, in virtual time.
// Everything that could be chance comes from one seed: how bytes are cut, how long they travel, which
// connection breaks. The same seed and program give the same run. Tests print seed() when they fail.
//
//   SimNetwork net(seed, NetworkOptions::rough());
//   SimLoop& caller = net.add_loop({ip("198.18.0.1")});
//   SimLoop& server = net.add_loop({ip("198.18.0.2")});
//   … listen, connect, write …
//   EXPECT_TRUE(net.run_until([&] { return done; }));
//
// The network outlives everything that was made on its loops.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/random.h"
#include "io/loop.h"

namespace weft::sim {

class SimLoop;
class SimListener;
struct SimConnection;

// Chances are per chunk of bytes on its way, between 0 and 1.
struct NetworkOptions {
  Duration delay_min = std::chrono::microseconds(50);
  Duration delay_max = std::chrono::milliseconds(1);
  std::size_t chunk_bytes_max = 16 * 1024;       // bytes travel in random pieces of 1 to this many
  std::size_t in_flight_bytes_max = 128 * 1024;  // a direction's: travelling, or arrived and not yet read
  double stall_chance = 0;  // the chunk, and what follows it, takes up to stall_max longer
  Duration stall_max = std::chrono::seconds(2);
  double reset_chance = 0;     // the connection breaks: both ends see RST
  double truncate_chance = 0;  // this direction ends early with a FIN, the other goes on
  double refuse_chance = 0;    // a connect is refused though somebody listens
  // A loop comes so late to an event that it finds, in the same turn, what else has happened to it by then.
  double late_chance = 0;
  Duration late_max = std::chrono::milliseconds(2);

  static NetworkOptions calm() { return {}; }
  static NetworkOptions rough();  // small pieces, long delays, stalls, now and then a reset
};

// Where a connection really goes, as iptables' REDIRECT would decide; the accepted stream's
// original_destination() is then the address that was asked for. Nothing: it goes where it was told.
using Redirect = Function<std::optional<Address>(const SimLoop& from, const Address& to,
                                                 const io::ConnectOptions& options)>;

class SimNetwork {
 public:
  explicit SimNetwork(std::uint64_t seed = 1, const NetworkOptions& options = NetworkOptions::calm());
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  // A loop on the host that owns these addresses; loops with the same first address share a host, and each
  // host has its own loopback. The first address of a family is the source of its connections.
  SimLoop& add_loop(const std::vector<IpAddress>& addresses);

  std::uint64_t seed() const { return seed_; }
  MonotonicTime now() const { return now_; }
  NetworkOptions& options() { return options_; }
  Random& random() { return random_; }

  // The next event: false when there is none.
  bool run_one();
  // Everything due within `time`; the clock then stands `time` later.
  void advance(Duration time);
  // Until `done()` holds or `limit` of virtual time has passed; false in the second case, and when nothing is
  // left that could happen.
  bool run_until(const Function<bool()>& done, Duration limit = std::chrono::minutes(5));

  void set_redirect(Redirect redirect) { redirect_ = std::move(redirect); }
  // A host that is down answers nothing: connects to it time out, what is under way to or from it waits.
  void set_down(const IpAddress& address, bool down);
  // Breaks every connection of the host.
  void reset_connections(const IpAddress& address);
  // Both ends counted once, as long as one of them has its stream.
  std::size_t open_connections() const;
  // What is still to happen: timers that run, bytes under way.
  std::size_t pending_events() const { return events_.size(); }
  // The most bytes that ever waited in one stream for room on the network.
  std::size_t queued_bytes_max() const { return queued_bytes_max_; }

 private:
  friend class SimLoop;
  friend class SimListener;
  friend class SimTimer;
  friend class SimConnecting;
  friend class SimStream;
  friend struct SimConnection;

  using EventKey = std::pair<MonotonicTime, std::uint64_t>;
  struct Event {
    SimLoop* loop;
    Function<void()> action;
  };

  EventKey schedule(SimLoop& loop, Duration after, Function<void()> action);
  void cancel(const EventKey& key) { events_.erase(key); }
  Duration random_delay();
  bool chance(double probability) { return probability > 0 && random_.unit() < probability; }
  bool is_down(const SimLoop& loop) const;
  void attach(SimLoop& loop, const std::vector<IpAddress>& addresses);
  SimLoop* owner_of(const SimLoop& from, const IpAddress& ip) const;
  SimListener* find_listener(const SimLoop& from, const Address& to);
  Address source_address(const SimLoop& from, const IpAddress& to);
  std::uint16_t next_port();

  std::uint64_t seed_;
  NetworkOptions options_;
  SeededRandom random_;
  MonotonicTime now_;
  std::uint64_t sequence_ = 0;
  std::uint16_t last_port_ = 32767;
  std::size_t queued_bytes_max_ = 0;
  bool closing_ = false;
  std::map<EventKey, Event> events_;
  Redirect redirect_;
  std::set<IpAddress> down_;
  std::vector<SimLoop*> loops_;
  std::vector<std::unique_ptr<SimLoop>> owned_loops_;
  std::vector<SimListener*> listeners_;
  std::map<std::pair<int, std::string>, SimListener*> unix_listeners_;  // by host and path
  std::vector<std::weak_ptr<SimConnection>> connections_;
};

}  // namespace weft::sim
