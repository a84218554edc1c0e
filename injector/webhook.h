// The injector's server: HTTPS on 15017 (POST /inject), with the certificate it was given last; plaintext on
// 15014 for /metrics and /ready. One loop, one thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/simple_server.h"
#include "injector/admission.h"
#include "injector/pod_patch.h"
#include "io/loop.h"
#include "tls/tls_stream.h"

namespace weft::injector {

struct InjectorMetrics {
  std::array<std::uint64_t, 3> admissions{};  // by Admission::Outcome
  std::uint64_t bad_requests = 0;
  std::uint64_t failed_handshakes = 0;
};

// Prometheus text.
std::string metrics_text(const InjectorMetrics& metrics, WallTime certificate_expires);

// One request to the HTTPS port, answered. Pure but for the counters and the log.
http::SimpleReply answer(const http::SimpleRequest& request, const InjectorConfig& config,
                         InjectorMetrics& metrics);

class Webhook {
 public:
  // `loop` outlives the webhook.
  Webhook(io::Loop& loop, InjectorConfig config);
  ~Webhook();

  // May be called several times, for IPv4 and IPv6.
  Status listen(const Address& address);
  Status listen_metrics(const Address& address);
  // REQUIRES: listen(), or listen_metrics(), succeeded.
  const Address& local_address() const { return listeners_.front()->local_address(); }
  const Address& metrics_address() const { return metrics_server_->local_address(); }
  // The certificate for connections from now on. Without one, connections are closed at once.
  void use(std::shared_ptr<const tls::Context> context);
  // Asked by /ready while there is no certificate.
  void explain_not_ready(Function<std::string()> why) { why_not_ready_ = std::move(why); }

 private:
  void accept(std::unique_ptr<io::Stream> stream);
  void shake_hands_done(std::uint64_t id, Result<std::unique_ptr<tls::TlsStream>> stream);
  http::SimpleReply answer_metrics(const http::SimpleRequest& request) const;

  struct PendingHandshake {
    std::uint64_t id = 0;
    std::unique_ptr<tls::Handshake> handshake;
  };

  io::Loop& loop_;
  const InjectorConfig config_;
  InjectorMetrics metrics_;
  Function<std::string()> why_not_ready_;
  std::shared_ptr<const tls::Context> context_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::uint64_t next_handshake_ = 0;
  std::vector<PendingHandshake> handshakes_;
  std::unique_ptr<http::SimpleServer> server_;
  std::unique_ptr<http::SimpleServer> metrics_server_;
  Anchor anchor_;
};

}  // namespace weft::injector
