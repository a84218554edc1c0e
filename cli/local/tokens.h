// The stand-in for the API server's token issuer: signs projected service-account tokens with a key made at
// start, and publishes the JWKS the CA checks them with. Pure but for the key; one thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "tls/key.h"

namespace weft::local {

inline constexpr std::string_view token_issuer = "https://kubernetes.default.svc.cluster.local";
// The audience of a token that a volume asks for without naming one: the API server's own.
inline constexpr std::string_view default_audience = token_issuer;

struct TokenRequest {
  std::string name_space;
  std::string service_account;
  std::string service_account_uid;
  std::string pod_name;
  std::string pod_uid;
  std::string audience;
  std::string token_id;  // unique; a UUID
  std::chrono::seconds lifetime{3600};
};

// The claims as Kubernetes writes them into a pod-bound token. Pure.
std::string token_claims(const TokenRequest& request, WallTime now);

class TokenIssuer {
 public:
  static Result<TokenIssuer> create();
  Result<std::string> sign(const TokenRequest& request, WallTime now) const;
  Result<std::string> jwks() const;

 private:
  explicit TokenIssuer(tls::PrivateKey key) : key_(std::move(key)) {}
  tls::PrivateKey key_;
};

// When to write a token anew: at 80 % of its life, as the kubelet does.
constexpr std::chrono::seconds refresh_after(std::chrono::seconds lifetime) { return lifetime * 4 / 5; }

}  // namespace weft::local
