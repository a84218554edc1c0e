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

#include "base/callback.h"
#include "io/loop.h"
#include "policy/inbound.h"
#include "sidecar/connection.h"
#include "sidecar/http_downstream.h"
#include "sidecar/inbound_gate.h"
#include "sidecar/preread.h"
#include "sidecar/tunnel.h"
#include "sidecar/worker_context.h"
#include "tls/tls_stream.h"

namespace weft::sidecar {

class InboundConnection final : public Connection {
 public:
  InboundConnection(WorkerContext& context, ConnectionOwner& owner, std::unique_ptr<io::Stream> downstream,
                    const Address& original_destination);
  ~InboundConnection() override;
  void config_changed() override;
  void drain() override;
  void root_removed() override;

 private:
  enum class Stage { detecting, securing, serving };

  void begin();
  void preread(Duration patience);
  void preread_done(Preread::Result read);
  void first_bytes(Preread::Result read);
  void silent_caller();
  void plaintext(Preread::Result read);
  void refuse_plaintext(const Preread::Result& read);
  void secure();
  void secured(Result<std::unique_ptr<tls::TlsStream>> stream);
  void follow(policy::InboundPlan plan);
  void serve_http();
  void open_application();
  bool tcp_permitted();
  void end_gracefully(std::string_view reason);
  void refuse(std::string_view reason, std::string_view text);
  void over(std::string_view reason);
  const InboundState::Port& port() const { return policy_->port(application_.port); }
  const SpiffeId* caller_id() const { return caller_.identity ? &*caller_.identity : nullptr; }

  WorkerContext& context_;
  ConnectionOwner& owner_;
  std::unique_ptr<io::Stream> downstream_;  // while nobody else has it
  Address application_;
  std::shared_ptr<const InboundState> policy_;
  Caller caller_;
  ConnectionRecord record_;
  MonotonicTime started_;
  Stage stage_ = Stage::detecting;
  bool over_ = false;
  bool asked_source_ = false;
  TunnelStart start_;
  std::unique_ptr<Preread> preread_;
  std::unique_ptr<tls::Handshake> handshake_;
  std::unique_ptr<io::Connecting> connecting_;
  std::unique_ptr<Tunnel> tunnel_;
  std::unique_ptr<InboundGate> gate_;
  std::unique_ptr<HttpDownstream> http_;
  std::unique_ptr<io::Timer> expiry_;
  Anchor anchor_;
};

}  // namespace weft::sidecar
