// A connection of the application to somewhere else, redirected to port 15001: finds out where it was going,
// what it speaks, and carries it there. Worker's thread; owned by the Worker.
//
//   looking_up → preread → http
//                   ↓ (silent, or not HTTP)
//              connecting ⇄ (whoever speaks first) → tunnel
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/callback.h"
#include "io/loop.h"
#include "policy/balance.h"
#include "policy/endpoint_state.h"
#include "policy/retry.h"
#include "sidecar/connection.h"
#include "sidecar/destination.h"
#include "sidecar/http_downstream.h"
#include "sidecar/preread.h"
#include "sidecar/tunnel.h"
#include "sidecar/worker_context.h"

namespace weft::sidecar {

class OutboundConnection final : public Connection, io::StreamHandler {
 public:
  OutboundConnection(WorkerContext& context, ConnectionOwner& owner, std::unique_ptr<io::Stream> downstream,
                     const Address& original_destination);
  ~OutboundConnection() override;
  void config_changed() override;
  void drain() override;
  void root_removed() override;

 private:
  // The upstream of a silent client, which may speak first.
  void stream_data(std::string_view bytes) override;
  void stream_end() override;
  void stream_drained() override {}
  void stream_failed(const Error& error) override;

  void route();
  void route_to(const Destination& destination);
  Duration patience() const;
  void preread();
  void preread_done(Preread::Result read);
  void serve_http();
  void open_upstream();
  void connect_endpoint();
  bool hand_over_to_own_pod(std::uint16_t port);
  void upstream_connected(Result<std::unique_ptr<io::Stream>> upstream);
  void join();
  void drop_upstream();
  void refuse(std::string_view reason, std::string_view text);
  void over(std::string_view reason);

  WorkerContext& context_;
  ConnectionOwner& owner_;
  std::unique_ptr<io::Stream> downstream_;  // while nobody else has it
  Router router_;
  OutboundGate gate_;
  ConnectionRecord record_;
  MonotonicTime started_;
  bool routed_ = false;
  bool over_ = false;
  bool client_silent_ = false;  // an upstream is being opened while the client may still begin
  std::unique_ptr<io::Timer> config_timer_;
  std::unique_ptr<Preread> preread_;
  TunnelStart start_;

  std::shared_ptr<const ServiceState> service_;  // null: passthrough
  policy::RouteChoice route_;
  policy::TriedEndpoints tried_;
  policy::ActiveRequest active_;
  std::optional<policy::EndpointChoice> endpoint_;
  MonotonicTime try_started_;
  std::unique_ptr<io::Connecting> connecting_;
  std::unique_ptr<io::Stream> upstream_;
  std::unique_ptr<Tunnel> tunnel_;
  std::unique_ptr<HttpDownstream> http_;
  Anchor anchor_;
};

}  // namespace weft::sidecar
