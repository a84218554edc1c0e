// What a TLS connection needs to know beforehand: our certificate and whom to trust. A Context is immutable
// and shared by all workers; a renewed certificate or bundle makes a new one, and connections made with the
// old one go on. TLS 1.3 only, X25519 or P-256, no 0-RTT, no tickets.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/spiffe_id.h"
#include "tls/certificate.h"
#include "tls/key.h"

struct ssl_ctx_st;  // BoringSSL's SSL_CTX

namespace weft::tls {

// Our identity: key and certificate chain, leaf first, without the root.
struct Svid {
  PrivateKey key;
  std::vector<Certificate> chain;
  SpiffeId id;
  WallTime not_before;
  WallTime not_after;
};

// Takes the CA's answer apart: leaf first; self-signed certificates (the root at the end) are left out of the
// chain. Errors: the leaf is not for `key`, has no valid SPIFFE id, or is a CA.
Result<std::shared_ptr<const Svid>> make_svid(PrivateKey key, const std::vector<std::string>& chain_pem);

struct ServerContextOptions {
  // Accepted protocols, preferred first. A client that offers none of them gets a handshake without ALPN.
  std::vector<std::string> alpn;
  // False only where callers have no certificate yet or never will: the CA, the webhooks. A client
  // certificate is then neither asked for nor believed.
  bool require_client_certificate = true;
};

class Context {
 public:
  // `svid` may be null: the client then has no certificate to show (it is about to ask for its first one).
  static Result<std::shared_ptr<const Context>> client(std::shared_ptr<const Svid> svid,
                                                       std::shared_ptr<const TrustBundle> bundle);
  // `bundle` may be null where no client certificate is asked for.
  static Result<std::shared_ptr<const Context>> server(std::shared_ptr<const Svid> svid,
                                                       std::shared_ptr<const TrustBundle> bundle,
                                                       ServerContextOptions options);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const std::shared_ptr<const Svid>& svid() const { return svid_; }
  const std::shared_ptr<const TrustBundle>& bundle() const { return bundle_; }
  bool is_server() const { return is_server_; }
  const ServerContextOptions& server_options() const { return server_options_; }
  ssl_ctx_st* native() const { return native_; }

 private:
  Context(ssl_ctx_st* native, std::shared_ptr<const Svid> svid, std::shared_ptr<const TrustBundle> bundle,
          bool is_server, ServerContextOptions options);
  ssl_ctx_st* native_;
  std::shared_ptr<const Svid> svid_;
  std::shared_ptr<const TrustBundle> bundle_;
  bool is_server_;
  ServerContextOptions server_options_;
};

}  // namespace weft::tls
