#include "ca/token.h"

#include "base/log.h"
#include "base/text.h"
#include "ca/files.h"

namespace weft::ca {
namespace {

constexpr std::size_t jwks_bytes_max = 1024 * 1024;

}  // namespace

TokenVerifier::TokenVerifier(std::string jwks_file, tls::TokenChecks checks)
    : jwks_file_(std::move(jwks_file)), checks_(std::move(checks)), problem_("not read yet") {}

Status TokenVerifier::reload() {
  const auto text = read_file(jwks_file_, jwks_bytes_max);
  auto keys = text ? tls::parse_jwks(*text) : Result<tls::Jwks>(fail(text.error()));
  if (!keys) {
    problem_ = text ? keys.error().in(jwks_file_).message : keys.error().message;
    return fail(keys.error().code, str_cat(problem_, keys_.keys.empty() ? "; no token can be checked yet"
                                                                        : "; the last good keys stay"));
  }
  for (const auto& problem : keys->problems)
    log::warning("token key", {{"file", jwks_file_}, {"problem", problem}});
  keys_ = *std::move(keys);
  problem_.clear();
  return {};
}

Result<tls::TokenClaims> TokenVerifier::verify(std::string_view token, WallTime now) const {
  if (keys_.keys.empty()) {
    return fail(Code::unavailable, str_cat("the CA has no keys to check tokens with yet: ", problem_));
  }
  return tls::verify_jwt(token, keys_, now, checks_);
}

}  // namespace weft::ca
