// istio.v1.auth.IstioCertificateService/CreateCertificate: token and CSR in, certificate chain out. Lives on
// its loop's thread; the references outlive it and the server that calls it.
#pragma once

#include <string_view>

#include "ca/authority.h"
#include "ca/metrics.h"
#include "ca/token.h"
#include "ca/validator.h"
#include "http/grpc_server.h"
#include "io/loop.h"

namespace weft::ca {

inline constexpr std::string_view create_certificate =
    "/istio.v1.auth.IstioCertificateService/CreateCertificate";

class CsrService {
 public:
  CsrService(io::Loop& loop, const Authority& authority, const TokenVerifier& tokens,
             const IssuePolicy& policy, Metrics& metrics);

  // Adds itself to `server`; outlives it.
  void serve(http::GrpcServer& server);

 private:
  struct Granted {
    SpiffeId id;
    std::string pod;
    Authority::Issued issued;
  };
  Verdict<Granted> decide(const http::GrpcRequest& request, std::string_view message) const;
  void answer(const http::GrpcRequest& request, std::string_view message, http::GrpcResponder responder);

  io::Loop& loop_;
  const Authority& authority_;
  const TokenVerifier& tokens_;
  const IssuePolicy& policy_;
  Metrics& metrics_;
  Anchor anchor_;
};

}  // namespace weft::ca
