// JSON Web Tokens as Kubernetes issues them (RFC 7515, 7517, 7519). Pure: keys and time come in. Only ES256
// and RS256 with a key of the fitting kind; never "none", never HMAC. Tokens are secrets: no error quotes
// one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "tls/key.h"

namespace weft::tls {

struct Jwk {
  std::string id;         // "kid"; may be empty
  std::string algorithm;  // "ES256" or "RS256"
  PublicKey key;
};

struct Jwks {
  std::vector<Jwk> keys;
  std::vector<std::string> problems;  // what was left out, and why; a bad key does not spoil the others
};

// Errors: not JSON, no "keys" array, or not one usable key.
Result<Jwks> parse_jwks(std::string_view json);

struct TokenClaims {
  std::string issuer;
  std::string subject;
  std::vector<std::string> audiences;
  WallTime expires;
  // Of "kubernetes.io"; empty where the token has none.
  std::string name_space;
  std::string service_account;
  std::string service_account_uid;
  std::string pod_name;
  std::string pod_uid;
  std::string token_id;  // "jti"
};

struct TokenChecks {
  std::vector<std::string> audiences;  // one of them must be in the token
  std::string issuer;                  // empty: any
  Duration leeway = std::chrono::seconds(10);
};

inline constexpr std::size_t token_bytes_max = 16 * 1024;

// Checks form, signature, expiry ("exp" is a must), "nbf", "iat" in the future, audience and issuer. Errors
// are Code::refused and say which check failed; Code::invalid for what is no JWT at all.
Result<TokenClaims> verify_jwt(std::string_view token, const Jwks& keys, WallTime now,
                               const TokenChecks& checks);

// An ES256 token over `claims_json`, for `weft local`, which stands in for the API server's token issuer.
// REQUIRES: an ECDSA P-256 key.
Result<std::string> sign_jwt(std::string_view claims_json, std::string_view key_id, const PrivateKey& key);
// A JWKS document with this one ECDSA P-256 key.
Result<std::string> jwks_of(const PublicKey& key, std::string_view key_id);

}  // namespace weft::tls
