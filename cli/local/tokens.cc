#include "cli/local/tokens.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "tls/jwt.h"

namespace weft::local {

namespace {
constexpr std::string_view key_id = "weft-local";
}

std::string token_claims(const TokenRequest& request, WallTime now) {
  using nlohmann::json;
  const auto issued = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const json claims = {
      {"iss", token_issuer},
      {"sub", str_cat("system:serviceaccount:", request.name_space, ":", request.service_account)},
      {"aud", json::array({request.audience})},
      {"iat", issued},
      {"nbf", issued},
      {"exp", issued + request.lifetime.count()},
      {"jti", request.token_id},
      {"kubernetes.io",
       {{"namespace", request.name_space},
        {"serviceaccount", {{"name", request.service_account}, {"uid", request.service_account_uid}}},
        {"pod", {{"name", request.pod_name}, {"uid", request.pod_uid}}}}}};
  return claims.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<TokenIssuer> TokenIssuer::create() {
  WEFT_ASSIGN(tls::PrivateKey key, tls::PrivateKey::generate());
  return TokenIssuer(std::move(key));
}

Result<std::string> TokenIssuer::sign(const TokenRequest& request, WallTime now) const {
  return tls::sign_jwt(token_claims(request, now), key_id, key_);
}

Result<std::string> TokenIssuer::jwks() const { return tls::jwks_of(key_.public_key(), key_id); }

}  // namespace weft::local
