// Simulated pods: the sidecar's real data path (outbound, inbound, exchange, tunnel, TLS) on simulated hosts
// and a simulated network that redirects as iptables do. What discovery and the CA would say, the test says.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "http/simple_client.h"
#include "http/simple_server.h"
#include "sidecar/connection.h"
#include "sidecar/inbound.h"
#include "sidecar/mirror.h"
#include "sidecar/outbound.h"
#include "sidecar/telemetry.h"
#include "sidecar/upstreams.h"
#include "sidecar/worker_context.h"
#include "tests/lib/tls/test_root.h"
#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_network.h"

namespace weft::test {

// Connections with this mark come from the application: only they are redirected to its sidecar.
inline constexpr int application_mark = 1;

class RecordingTelemetry final : public sidecar::Telemetry {
 public:
  void start(io::Loop&) override {}
  void stop() override {}
  void connection_joined(const sidecar::PeersRecord&) override {}
  void request_done(const sidecar::RequestRecord& record) override { requests.push_back(record); }
  void connection_opened(sidecar::Direction) override { ++opened; }
  void connection_done(const sidecar::ConnectionRecord& record, bool) override {
    connections.push_back(record);
  }
  void connection_refused(sidecar::Direction, std::string_view reason) override {
    ++refused[std::string(reason)];
  }
  void connection_ended(sidecar::Direction, std::string_view reason) override {
    ++ended[std::string(reason)];
  }
  void endpoint_ejected(std::string_view) override { ++ejections; }
  void request_mirrored(std::string_view outcome) override { ++mirrored[std::string(outcome)]; }

  std::vector<sidecar::RequestRecord> requests;
  std::vector<sidecar::ConnectionRecord> connections;
  std::map<std::string, int> refused;
  std::map<std::string, int> ended;
  std::map<std::string, int> mirrored;
  int opened = 0;
  int ejections = 0;
};

class SimPod final : sidecar::ConnectionOwner {
 public:
  SimPod(sim::SimNetwork& network, policy::EndpointRegistry& endpoints, const TestRoot& root,
         const std::string& ip, const std::string& service_account);
  ~SimPod();

  // What the CA says: a certificate for so long from now on.
  void renew(const TestRoot& root, Duration lifetime);
  // What discovery says.
  void know(std::vector<policy::Service> services, std::vector<policy::AddressOwner> owners = {});
  void forget(const Address& address);
  void set_inbound(policy::InboundPolicy policy);
  policy::InboundPolicy inbound_policy(policy::MtlsMode mode = policy::MtlsMode::strict) const;
  policy::Endpoint endpoint(std::uint16_t port) const;

  // The application: an HTTP server at the pod's address.
  void serve(std::uint16_t port, http::SimpleServer::Handle handle);
  void stop_serving(std::uint16_t port) { servers_.erase(port); }
  // The pod is gone for all who would connect to it.
  void stop_inbound() { listeners_.pop_back(); }
  // The application calls out, through its sidecar.
  std::unique_ptr<http::Fetch> fetch(const Address& to, http::FetchRequest request, http::FetchDone done);
  std::unique_ptr<io::Connecting> connect(const Address& to,
                                          Function<void(Result<std::unique_ptr<io::Stream>>)> done);

  sim::SimLoop& loop() { return loop_; }
  sidecar::WorkerContext& context() { return context_; }
  const std::string& identity() const { return identity_; }
  const IpAddress& ip() const { return ip_; }
  std::size_t connections() const { return connections_.size(); }
  // The known addresses that connections went to, since the last call.
  std::set<std::string> used_addresses();
  void tell_config_changed();
  void tell_root_removed();
  void drain();  // as the worker does when the pod is told to go

  RecordingTelemetry telemetry;
  std::vector<Address> asked;             // owners that the sidecar wanted to know
  Function<void(const Address&)> on_ask;  // hears of each as well

 private:
  void connection_over(sidecar::Connection& connection) override;
  void publish(std::shared_ptr<const sidecar::Config> config);
  std::vector<sidecar::Connection*> open_connections() const;

  IpAddress ip_;
  std::string identity_;
  sim::SimLoop& loop_;
  SeededRandom random_;
  sidecar::Settings settings_;
  policy::EndpointRegistry& endpoints_;
  std::shared_ptr<sidecar::Config> config_;
  sidecar::WorkerContext context_;
  std::unique_ptr<sidecar::Upstreams> upstreams_;
  sidecar::Shadows shadows_{context_};
  std::vector<std::unique_ptr<sidecar::Connection>> connections_;  // in the order of their coming
  std::map<std::uint16_t, std::unique_ptr<http::SimpleServer>> servers_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
};

// As iptables do it: the application's connections to 15001 of its own pod, connections from elsewhere to
// 15006.
void redirect_like_iptables(sim::SimNetwork& network);

policy::AddressOwner owned_by(const policy::Service& service, const std::string& address);

}  // namespace weft::test
