// The sidecar process: wires identity, configuration, workers and the servers that show what it does. Lives
// on the control thread, which carries no traffic.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "http/simple_server.h"
#include "io/resolver.h"
#include "io/signals.h"
#include "io/uv_loop.h"
#include "kube/workload_identity.h"
#include "policy/endpoint_state.h"
#include "sidecar/access_log.h"
#include "sidecar/application_metrics.h"
#include "sidecar/config_cache.h"
#include "sidecar/config_client.h"
#include "sidecar/config_store.h"
#include "sidecar/control_socket.h"
#include "sidecar/metrics.h"
#include "sidecar/probes.h"
#include "sidecar/settings.h"
#include "sidecar/worker.h"

namespace weft::sidecar {

class Sidecar {
 public:
  explicit Sidecar(Settings settings, std::uint64_t seed);
  ~Sidecar();

  // Opens everything that can be opened at once. Errors say which port or file.
  Status start();
  // Until SIGTERM or SIGINT and the drain that follows. Returns the exit status.
  int run();

 private:
  struct WorkerSlot;

  std::unique_ptr<io::Connecting> connect_discovery(http::GrpcChannel::ConnectDone done);
  void identity_changed(const kube::WorkloadCredentials& credentials);
  void config_changed(const std::shared_ptr<const Config>& config);
  void publish_credentials();
  void open_inbound_when_ready();
  void watch_address_use();
  Status ready() const;  // the error says what is missing
  void drain();
  void stop();
  void stop_when_empty();

  void serve_admin(const http::SimpleRequest& request, http::SimpleServer::Respond respond);
  void serve_health(const http::SimpleRequest& request, http::SimpleServer::Respond respond);
  void serve_metrics(const http::SimpleRequest& request, http::SimpleServer::Respond respond);
  ProcessMetrics process_metrics() const;
  http::SimpleReply control(std::string_view command, std::string_view argument);

  Settings settings_;
  SeededRandom random_;
  io::UvLoop loop_;
  std::unique_ptr<io::Resolver> resolver_;
  policy::EndpointRegistry endpoints_;
  Metrics metrics_of_workers_;
  AccessLogSink access_log_sink_;
  std::vector<std::unique_ptr<WorkerSlot>> workers_;
  ConfigStore store_;
  ConfigCache cache_;
  std::unique_ptr<kube::WorkloadIdentity> identity_;
  std::unique_ptr<ConfigClient> config_client_;
  std::shared_ptr<const Credentials> credentials_;
  std::unique_ptr<Probes> probes_;
  std::unique_ptr<ApplicationMetrics> application_metrics_;
  std::unique_ptr<http::SimpleServer> admin_;
  std::unique_ptr<http::SimpleServer> health_;
  std::unique_ptr<http::SimpleServer> metrics_;
  std::unique_ptr<ControlSocket> control_socket_;
  std::vector<std::unique_ptr<io::SignalWatch>> signals_;
  std::unique_ptr<io::Timer> stop_timer_;
  std::unique_ptr<io::Timer> tidy_timer_;
  unsigned inbound_open_ = 0;  // workers whose inbound listeners are open
  bool inbound_asked_ = false;
  std::uint64_t config_updates_ = 0;
  bool draining_ = false;
  std::optional<MonotonicTime> stopping_since_;
  Anchor anchor_;
};

}  // namespace weft::sidecar
