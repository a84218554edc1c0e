#include "tests/sim/sim_network.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_socket.h"
#include "tests/sim/sim_stream.h"

namespace weft::sim {
namespace {

// Where each makes the next due at once, the turn ends all the same.
constexpr int turn_events_max = 32;

}  // namespace

NetworkOptions NetworkOptions::rough() {
  NetworkOptions options;
  options.delay_max = std::chrono::milliseconds(50);
  options.chunk_bytes_max = 700;
  options.in_flight_bytes_max = 20'000;
  options.stall_chance = 0.01;
  options.reset_chance = 0.0005;
  options.refuse_chance = 0.01;
  options.late_chance = 0.1;
  return options;
}

SimNetwork::SimNetwork(std::uint64_t seed, const NetworkOptions& options)
    : seed_(seed), options_(options), random_(seed), now_(std::chrono::hours(1)) {}

SimNetwork::~SimNetwork() {
  closing_ = true;
  // What is under way may own streams and timers, whose end looks at their loops.
  std::exchange(events_, {}).clear();
  for (const auto& loop : owned_loops_) {
    while (!loop->deferred_.empty()) std::exchange(loop->deferred_, {}).clear();
  }
}

SimLoop& SimNetwork::add_loop(const std::vector<IpAddress>& addresses) {
  owned_loops_.push_back(std::unique_ptr<SimLoop>(new SimLoop(*this)));
  attach(*owned_loops_.back(), addresses);
  return *owned_loops_.back();
}

void SimNetwork::attach(SimLoop& loop, const std::vector<IpAddress>& addresses) {
  loop.host_ = static_cast<int>(loops_.size()) + 1;
  for (const SimLoop* other : loops_) {
    if (!addresses.empty() && !other->addresses_.empty() && other->addresses_[0] == addresses[0]) {
      loop.host_ = other->host_;
    }
  }
  loop.addresses_ = addresses;
  loops_.push_back(&loop);
}

SimNetwork::EventKey SimNetwork::schedule(SimLoop& loop, Duration after, Function<void()> action) {
  const EventKey key{now_ + after, ++sequence_};
  if (!closing_) events_.emplace(key, Event{&loop, std::move(action)});
  return key;
}

Duration SimNetwork::random_delay() {
  const auto spread = static_cast<std::uint64_t>((options_.delay_max - options_.delay_min).count());
  return options_.delay_min + Duration(random_.below(spread + 1));
}

bool SimNetwork::run_one() {
  if (events_.empty()) return false;
  auto next = events_.extract(events_.begin());
  now_ = std::max(now_, next.key().first);
  SimLoop& loop = *next.mapped().loop;
  const bool late = chance(options_.late_chance);
  if (late) now_ += Duration(random_.below(static_cast<std::uint64_t>(options_.late_max.count()) + 1));
  loop.run_turn([&] {
    next.mapped().action();
    for (int more = 0; late && more < turn_events_max; ++more) {
      const auto later = events_.upper_bound({now_, sequence_});
      const auto due = std::find_if(events_.begin(), later,
                                    [&loop](const auto& each) { return each.second.loop == &loop; });
      if (due == later) break;
      events_.extract(due).mapped().action();
    }
  });
  return true;
}

void SimNetwork::advance(Duration time) {
  const MonotonicTime until = now_ + time;
  while (!events_.empty() && events_.begin()->first.first <= until) run_one();
  now_ = std::max(now_, until);
}

bool SimNetwork::run_until(const Function<bool()>& done, Duration limit) {
  const MonotonicTime until = now_ + limit;
  while (!done()) {
    if (events_.empty() || events_.begin()->first.first > until) return false;
    run_one();
  }
  return true;
}

void SimNetwork::set_down(const IpAddress& address, bool down) {
  if (down) {
    down_.insert(address);
  } else {
    down_.erase(address);
  }
}

bool SimNetwork::is_down(const SimLoop& loop) const {
  return std::any_of(loop.addresses_.begin(), loop.addresses_.end(),
                     [this](const IpAddress& ip) { return down_.contains(ip); });
}

void SimNetwork::reset_connections(const IpAddress& address) {
  for (const auto& weak : connections_) {
    const auto connection = weak.lock();
    if (!connection) continue;
    for (const SimEnd& end : connection->ends) {
      if (end.local.ip != address) continue;
      connection->send_reset(connection->ends[0]);
      connection->send_reset(connection->ends[1]);
      break;
    }
  }
}

std::size_t SimNetwork::open_connections() const {
  return static_cast<std::size_t>(
      std::count_if(connections_.begin(), connections_.end(), [](const std::weak_ptr<SimConnection>& weak) {
        const auto connection = weak.lock();
        return connection && (connection->ends[0].stream || connection->ends[1].stream);
      }));
}

// Whoever has the address, or listens on it; its own host for a loopback one.
SimLoop* SimNetwork::owner_of(const SimLoop& from, const IpAddress& ip) const {
  for (SimLoop* loop : loops_) {
    if (ip.is_loopback()
            ? loop->host_ == from.host_
            : std::find(loop->addresses_.begin(), loop->addresses_.end(), ip) != loop->addresses_.end()) {
      return loop;
    }
  }
  for (const SimListener* listener : listeners_) {
    if (listener->local_address().ip == ip) return &listener->loop();
  }
  return nullptr;
}

SimListener* SimNetwork::find_listener(const SimLoop& from, const Address& to) {
  const SimLoop* const owner = owner_of(from, to.ip);
  if (!owner) return nullptr;
  std::vector<SimListener*> fitting;
  for (SimListener* listener : listeners_) {
    if (listener->loop().host_ == owner->host_ && listener->takes(to)) fitting.push_back(listener);
  }
  return fitting.empty() ? nullptr : fitting[random_.below(fitting.size())];
}

Address SimNetwork::source_address(const SimLoop& from, const IpAddress& to) {
  if (!to.is_loopback()) {
    for (const IpAddress& ip : from.addresses_) {
      if (ip.is_v4() == to.is_v4()) return {ip, next_port()};
    }
  }
  return {IpAddress::parse(to.is_v4() ? "127.0.0.1" : "::1").value(), next_port()};
}

std::uint16_t SimNetwork::next_port() { return last_port_ == 65535 ? last_port_ = 32768 : ++last_port_; }

}  // namespace weft::sim
