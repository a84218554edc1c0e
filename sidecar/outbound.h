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

#include "io/loop.h"
#include "policy/balance.h"
#include "policy/endpoint_state.h"
#include "policy/retry.h"
#include "policy/service_load.h"
#include "sidecar/connection.h"
#include "sidecar/destination.h"

namespace weft::sidecar {

class OutboundConnection final : public Connection {
 public:
  OutboundConnection(WorkerContext& context, ConnectionOwner& owner, std::unique_ptr<io::Stream> downstream,
                     const Address& original_destination);
  ~OutboundConnection() override;
  void config_changed() override;
  void note_use() override;
  void drain() override;
  void root_removed() override;

 private:
  void preread(Duration patience) override;
  void serve_http() override;
  void open_upstream() override;
  void drop_upstream() override;
  ServerFirst::Basis basis() const override { return router_.basis(); }

  void route();
  void route_to(const Destination& destination);
  void preread_done(Preread::Result read);
  void connect_endpoint();
  bool hand_over_to_own_pod(std::uint16_t port);
  void connect_done(Result<std::unique_ptr<io::Stream>> upstream);

  Router router_;
  OutboundGate gate_;
  bool routed_ = false;
  std::string refused_;  // why it leads nowhere; empty: it does
  std::unique_ptr<io::Timer> config_timer_;

  std::shared_ptr<const ServiceState> service_;  // null: passthrough
  policy::RouteChoice route_;
  policy::TriedEndpoints tried_;
  policy::ActiveRequest active_;
  policy::Place place_;  // among the Service's connections
  std::optional<policy::EndpointChoice> endpoint_;
  MonotonicTime try_started_;
};

}  // namespace weft::sidecar
