// A connection from somewhere to the application, redirected to port 15006: ends mTLS, learns who calls,
// decides whether that may be, and hands it to the application at its original address. Worker's thread;
// owned by the Worker.
//
//   preread → handshake → plan by policy and ALPN → (preread) → http | tunnel
//         └ plaintext, where the mode permits it ┘
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/loop.h"
#include "policy/inbound.h"
#include "sidecar/connection.h"
#include "sidecar/inbound_gate.h"
#include "tls/tls_stream.h"

namespace weft::sidecar {

// What its TLS takes as ALPN: the mesh's protocols first, behind them what a client without a sidecar may
// offer.
std::vector<std::string> inbound_protocols();

class InboundConnection final : public Connection {
 public:
  InboundConnection(WorkerContext& context, ConnectionOwner& owner, std::unique_ptr<io::Stream> downstream,
                    const Address& original_destination);
  ~InboundConnection() override;
  void config_changed() override;
  void note_use() override;
  void drain() override;
  void root_removed() override;

 private:
  enum class Stage { detecting, securing, serving };

  void preread(Duration patience) override;
  void serve_http() override;
  void open_upstream() override;
  void client_spoke(Preread::Result read) override;
  ServerFirst::Basis basis() const override { return policy_; }
  void joined() override { limit_life(); }

  void begin();
  void preread_done(Preread::Result read);
  void first_bytes(Preread::Result read);
  void silent_caller(Preread::Result read);
  void silent_client(Preread::Result read);
  bool caller_may_be_meshed(const IpAddress& caller) const;
  void plaintext(Preread::Result read);
  void refuse_plaintext(bool http);
  void secure();
  void find_source_workload();
  void secured(Result<std::unique_ptr<tls::TlsStream>> stream);
  void follow(policy::InboundPlan plan);
  bool tcp_permitted();
  void limit_life();
  void end_gracefully(std::string_view reason);
  void revoke(std::string_view reason);
  const InboundState::Port& port() const { return policy_->port(destination_.port); }
  const SpiffeId* caller_id() const { return caller_.identity ? &*caller_.identity : nullptr; }

  std::shared_ptr<const InboundState> policy_;
  Caller caller_;
  std::optional<WallTime> caller_not_after_;  // its certificate's; nothing: it showed none
  Stage stage_ = Stage::detecting;
  bool asked_source_ = false;
  bool root_removed_ = false;  // while the handshake was under way
  std::unique_ptr<tls::Handshake> handshake_;
  std::unique_ptr<Gate> gate_;  // of http_
  std::unique_ptr<io::Timer> life_timer_;
};

}  // namespace weft::sidecar
