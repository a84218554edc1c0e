// The keys that sign service-account tokens, from a JWKS file. Lives on one thread.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "tls/jwt.h"

namespace weft::ca {

class TokenVerifier {
 public:
  // Does not read yet: a CA starts without keys, and says so to who asks.
  TokenVerifier(std::string jwks_file, tls::TokenChecks checks);

  // Reads the file. A broken or missing one leaves the last good keys in place; the error says so.
  Status reload();

  // Errors: unavailable while there were never any keys, else those of tls::verify_jwt.
  Result<tls::TokenClaims> verify(std::string_view token, WallTime now) const;

  std::size_t keys() const { return keys_.keys.size(); }
  const std::string& file() const { return jwks_file_; }

 private:
  std::string jwks_file_;
  tls::TokenChecks checks_;
  tls::Jwks keys_;
  std::string problem_;  // why the file could not be used; empty when it could
};

}  // namespace weft::ca
