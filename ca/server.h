// The running CA: listeners, its own serving certificate and the renewal of it, metrics, orderly shutdown.
// Lives on its loop's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ca/authority.h"
#include "ca/csr_service.h"
#include "ca/metrics.h"
#include "ca/token.h"
#include "http/grpc_server.h"
#include "http/simple_server.h"
#include "io/loop.h"
#include "tls/acceptor.h"

namespace weft::ca {

struct ServingIdentity {
  SpiffeId id;
  std::vector<std::string> dns_names;
};

class Server {
 public:
  // `policy`, `authority` and `tokens` outlive the server.
  Server(io::Loop& loop, const Authority& authority, TokenVerifier& tokens, const IssuePolicy& policy,
         ServingIdentity identity);

  // Signs the serving certificate; without one nothing can be served.
  Status start();
  Status listen(const Address& address, const io::ListenOptions& options) {
    return acceptor_->listen(address, options);
  }
  Status listen_metrics(const Address& address) { return metrics_server_->listen(address); }
  // The first of them, with the real port where 0 was asked for. REQUIRES: it was listened on.
  const Address& address() const { return acceptor_->local_address(); }
  const Address& metrics_address() const { return metrics_server_->local_address(); }
  // The token keys' file changed, or may have.
  void reload_token_keys();
  // Calls under way may finish; `done` runs once nothing is left, or after some seconds.
  void drain(Function<void()> done);

 private:
  Status renew();
  void renew_later();
  void accepted(std::unique_ptr<tls::TlsStream> stream);
  http::SimpleReply reply(const http::SimpleRequest& request);

  io::Loop& loop_;
  const Authority& authority_;
  TokenVerifier& tokens_;
  const IssuePolicy& policy_;
  ServingIdentity identity_;
  Metrics metrics_;
  CsrService service_;
  http::GrpcServer grpc_;
  std::unique_ptr<http::SimpleServer> metrics_server_;
  std::unique_ptr<tls::Acceptor> acceptor_;
  std::unique_ptr<io::Timer> renew_timer_;
  Anchor anchor_;
};

}  // namespace weft::ca
