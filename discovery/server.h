// The configuration stream: one Session per sidecar on a GrpcServer, all fed from one State.
// Changes of the source are gathered for a moment, applied at once and pushed to the streams that hold what
// changed. One loop, one thread; outlives the GrpcServer it is added to.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "discovery/resources.h"
#include "discovery/source.h"
#include "discovery/state.h"
#include "http/grpc_server.h"
#include "io/loop.h"
#include "kube/config_codec.h"

namespace weft::discovery {

class Session;

struct ServerOptions {
  MeshOptions mesh;
  // Off where something between sidecar and discovery changes the caller's address.
  bool check_peer_address = true;
  Duration gather = std::chrono::milliseconds(20);
  std::size_t update_bytes_max = 512 * 1024;
};

// Counted since start.
struct ServerCounts {
  std::uint64_t streams_opened = 0;
  std::uint64_t hellos_refused = 0;
  std::uint64_t updates = 0;
  std::uint64_t resources = 0;
  std::uint64_t acks = 0;
  std::uint64_t updates_refused = 0;
  std::uint64_t batches = 0;
  std::uint64_t annotations_refused = 0;
};

class ConfigServer {
 public:
  ConfigServer(io::Loop& loop, ServerOptions options);
  ~ConfigServer();
  ConfigServer(const ConfigServer&) = delete;
  ConfigServer& operator=(const ConfigServer&) = delete;

  void add_to(http::GrpcServer& server);

  // What the source reports. Until the first batch was applied no stream is told anything.
  void take(std::vector<Change> changes);
  void set_bundle(kube::TrustRoots roots);

  bool synced() const { return synced_; }
  const State& state() const { return state_; }
  const ServerCounts& counts() const { return counts_; }
  std::size_t streams() const { return sessions_.size(); }

 private:
  friend class Session;
  void apply_batch();
  void push(const std::set<std::string>& changed);

  io::Loop& loop_;
  ServerOptions options_;
  State state_;
  Resources resources_;
  ServerCounts counts_;
  std::set<Session*> sessions_;  // owned by the GrpcServer; each takes itself out
  std::vector<Change> gathered_;
  bool synced_ = false;
  std::unique_ptr<io::Timer> timer_;
  Anchor anchor_;
};

}  // namespace weft::discovery
