// io::Loop in virtual time. Timers fire in the order of (deadline, start); nothing happens unless the
// network, or for a loop of its own the loop, is told to run. `SimLoop loop;` alone is enough for tests of
// timers, and of streams over its loopback.
#pragma once

#include <string>
#include <vector>

#include "io/loop.h"
#include "tests/sim/sim_network.h"

namespace weft::sim {

class SimStream;

class SimLoop final : public io::Loop {
 public:
  SimLoop();
  ~SimLoop() override;
  SimLoop(const SimLoop&) = delete;
  SimLoop& operator=(const SimLoop&) = delete;

  MonotonicTime now() const override;
  // Goes with now(), from the last set_wall().
  WallTime wall_now() const override;
  void set_wall(WallTime time);

  std::unique_ptr<io::Timer> make_timer(Function<void()> fired) override;
  void defer(Function<void()> task) override;
  void post(Function<void()> task) override;
  Result<std::unique_ptr<io::Listener>> listen(const Address& address, const io::ListenOptions& options,
                                               Function<void(std::unique_ptr<io::Stream>)> accepted) override;
  std::unique_ptr<io::Connecting> connect(const Address& address, const io::ConnectOptions& options,
                                          Function<void(Result<std::unique_ptr<io::Stream>>)> done) override;
  Result<std::unique_ptr<io::Listener>> listen_unix(
      const std::string& path, Function<void(std::unique_ptr<io::Stream>)> accepted) override;
  std::unique_ptr<io::Connecting> connect_unix(
      const std::string& path, Function<void(Result<std::unique_ptr<io::Stream>>)> done) override;

  // As those of SimNetwork.
  void advance(Duration time) { network_->advance(time); }
  bool run_until(const Function<bool()>& done, Duration limit = std::chrono::minutes(5)) {
    return network_->run_until(done, limit);
  }
  SimNetwork& network() const { return *network_; }
  const std::vector<IpAddress>& addresses() const { return addresses_; }

 private:
  friend class SimNetwork;
  friend class SimStream;
  friend class SimListener;
  friend class SimConnecting;
  friend struct SimConnection;

  explicit SimLoop(SimNetwork& network);
  void run_turn(const Function<void()>& action);
  void flush_later(SimStream& stream);
  void forget(SimStream& stream);
  void ensure_turn();

  std::unique_ptr<SimNetwork> own_network_;
  SimNetwork* network_;
  int host_ = 0;
  std::vector<IpAddress> addresses_;
  MonotonicTime wall_set_at_{};
  WallTime wall_set_{};
  std::vector<Function<void()>> deferred_;
  std::vector<SimStream*> flushes_;
  bool in_turn_ = false;
  bool turn_scheduled_ = false;
};

}  // namespace weft::sim
