// One worker thread: its event loop, its listeners on 15001 and 15006 (shared between workers by
// SO_REUSEPORT), its pool and its connections. Made and destroyed on the control thread, which talks to it by
// the methods below; all else happens on the worker's own thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/callback.h"
#include "base/random.h"
#include "io/uv_loop.h"
#include "sidecar/connection.h"
#include "sidecar/mirror.h"
#include "sidecar/settings.h"
#include "sidecar/telemetry.h"
#include "sidecar/upstreams.h"
#include "sidecar/worker_context.h"

namespace weft::sidecar {

class Worker final : ConnectionOwner {
 public:
  // `ask_owner` is called on the worker's thread. `telemetry` is this worker's own, outlives it and is used
  // on its thread only.
  Worker(const Settings& settings, policy::EndpointRegistry& endpoints, Telemetry& telemetry,
         std::uint64_t seed, Function<void(const Address&)> ask_owner);
  ~Worker();  // stops and joins

  // Opens 15001 (before the thread starts) and starts the thread.
  Status start();
  // From the control thread, while the worker runs.
  void set_config(std::shared_ptr<const Config> config);
  void set_credentials(std::shared_ptr<const Credentials> credentials);
  // `done` runs on the worker's thread. Once it has been called with success, inbound traffic is accepted.
  void open_inbound(Function<void(Status)> done);
  void drain_inbound();
  // The known addresses that connections went to since the last call, and those that open ones go to. `taken`
  // runs on the worker's thread.
  void take_used_addresses(Function<void(std::vector<Address>)> taken);
  // Connections open now; any thread.
  std::size_t connections() const { return connection_count_.load(std::memory_order_relaxed); }
  // To upstreams, for HTTP, and how many of them wait for the next request; any thread.
  std::size_t pooled_connections() const { return upstreams_->connections(); }
  std::size_t idle_connections() const { return upstreams_->idle_connections(); }

 private:
  Result<std::vector<std::unique_ptr<io::Listener>>> listen(
      const char* v4, const char* v6, std::uint16_t port,
      void (Worker::*accepted)(std::unique_ptr<io::Stream>));
  void accepted_outbound(std::unique_ptr<io::Stream> stream);
  void accepted_inbound(std::unique_ptr<io::Stream> stream);
  bool loops_back(const Address& original, std::uint16_t own_port) const;
  void add(std::unique_ptr<Connection> connection);
  void connection_over(Connection& connection) override;
  std::vector<Connection*> open_connections() const;
  void config_changed();
  ConnectionOwner& owner() { return *this; }

  io::UvLoop loop_;
  SeededRandom random_;
  WorkerContext context_;
  std::unique_ptr<Upstreams> upstreams_;
  std::unique_ptr<Shadows> shadows_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::atomic<std::size_t> connection_count_{0};
  std::vector<std::unique_ptr<io::Listener>> outbound_listeners_;
  std::vector<std::unique_ptr<io::Listener>> inbound_listeners_;
  std::thread thread_;
  Anchor anchor_;
};

}  // namespace weft::sidecar
