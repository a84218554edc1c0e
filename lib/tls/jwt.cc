#include "tls/jwt.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>
#include <openssl/bn.h>
#include <openssl/digest.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "base/check.h"
#include "base/text.h"
#include "tls/boring.h"

namespace weft::tls {
namespace {

using nlohmann::json;

constexpr std::size_t es256_bytes = 64;  // r and s, 32 bytes each (RFC 7518 § 3.4)

// The member when it is a string, else empty.
std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// A NumericDate (RFC 7519 § 2), held within years that fit into nanoseconds.
std::optional<WallTime> time_of(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const double seconds = std::clamp(found->get<double>(), 0.0, 8.0e9);
  return WallTime(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

bool verify_es256(const PublicKey& key, std::string_view signed_part, std::string_view signature) {
  if (signature.size() != es256_bytes || !key.is_p256()) return false;
  bssl::UniquePtr<ECDSA_SIG> pair(ECDSA_SIG_new());
  bssl::UniquePtr<BIGNUM> r(BN_bin2bn(bytes_of(signature), 32, nullptr));
  bssl::UniquePtr<BIGNUM> s(BN_bin2bn(bytes_of(signature) + 32, 32, nullptr));
  if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return false;
  r.release();  // both are the pair's now
  s.release();
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned digest_size = 0;
  if (EVP_Digest(signed_part.data(), signed_part.size(), digest.data(), &digest_size, EVP_sha256(),
                 nullptr) != 1) {
    return false;
  }
  return ECDSA_do_verify(digest.data(), digest_size, pair.get(), EVP_PKEY_get0_EC_KEY(key.native())) == 1;
}

bool verify_rs256(const PublicKey& key, std::string_view signed_part, std::string_view signature) {
  if (!key.is_rsa()) return false;
  bssl::ScopedEVP_MD_CTX context;
  return EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.native()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(signed_part),
                          signed_part.size()) == 1;
}

bool verify_signature(const Jwk& key, std::string_view signed_part, std::string_view signature) {
  const bool good = key.algorithm == "ES256"   ? verify_es256(key.key, signed_part, signature)
                    : key.algorithm == "RS256" ? verify_rs256(key.key, signed_part, signature)
                                               : false;
  ERR_clear_error();
  return good;
}

struct Parts {
  json header;
  json claims;
  std::string_view signed_part;
  std::string signature;
};

Result<json> parse_part(std::string_view part, std::string_view name) {
  auto text = base64url_decode(part);
  if (!text) return fail(Code::invalid, str_cat("not a JWT: its ", name, " is not base64url"));
  json value = json::parse(*text, nullptr, false);
  if (!value.is_object())
    return fail(Code::invalid, str_cat("not a JWT: its ", name, " is not a JSON object"));
  return value;
}

Result<Parts> split_token(std::string_view token) {
  if (token.empty()) return fail(Code::invalid, "the token is empty");
  if (token.size() > token_bytes_max) return fail(Code::limit, "the token is longer than 16 KiB");
  const auto pieces = split(token, '.');
  if (pieces.size() != 3) return fail(Code::invalid, "not a JWT: three parts separated by dots are expected");
  Parts parts;
  WEFT_ASSIGN(parts.header, parse_part(pieces[0], "header"));
  WEFT_ASSIGN(parts.claims, parse_part(pieces[1], "payload"));
  auto signature = base64url_decode(pieces[2]);
  if (!signature) return fail(Code::invalid, "not a JWT: its signature is not base64url");
  parts.signature = *std::move(signature);
  parts.signed_part = token.substr(0, pieces[0].size() + 1 + pieces[1].size());
  return parts;
}

Status check_signature(const Parts& parts, const Jwks& keys) {
  const std::string algorithm = text_of(parts.header, "alg");
  if (algorithm != "ES256" && algorithm != "RS256") {
    return fail(Code::refused, str_cat("the token's algorithm is '", printable(algorithm, 32),
                                       "', expected ES256 or RS256"));
  }
  // RFC 7515 § 4.1.11: what must be understood is not understood here.
  if (parts.header.contains("crit")) return fail(Code::refused, "the token demands an extension ('crit')");
  const std::string id = text_of(parts.header, "kid");
  bool tried = false;
  for (const Jwk& key : keys.keys) {
    if (key.algorithm != algorithm || (!id.empty() && !key.id.empty() && key.id != id)) continue;
    tried = true;
    if (verify_signature(key, parts.signed_part, parts.signature)) return {};
  }
  if (tried) return fail(Code::refused, "the token's signature is wrong (signed by another issuer?)");
  return fail(Code::refused, str_cat("the token is signed with the ", algorithm, " key '", printable(id, 64),
                                     "', which the key set does not have"));
}

Status check_times(const json& claims, WallTime now, Duration leeway) {
  const auto slack = std::chrono::duration_cast<WallTime::duration>(leeway);
  const auto expires = time_of(claims, "exp");
  if (!expires) return fail(Code::refused, "the token has no expiry ('exp')");
  if (now >= *expires + slack) {
    return fail(Code::refused,
                str_cat("the token expired at ", format_time(*expires), ", now it is ", format_time(now)));
  }
  for (const char* name : {"nbf", "iat"}) {
    const auto from = time_of(claims, name);
    if (from && now + slack < *from) {
      return fail(Code::refused, str_cat("the token is not valid before ", format_time(*from), " ('", name,
                                         "'), now it is ", format_time(now), " (compare the clocks)"));
    }
  }
  return {};
}

std::vector<std::string> audiences_of(const json& claims) {
  const auto found = claims.find("aud");
  if (found == claims.end()) return {};
  if (found->is_string()) return {found->get<std::string>()};
  std::vector<std::string> out;
  if (found->is_array()) {
    for (const auto& one : *found) {
      if (one.is_string()) out.push_back(one.get<std::string>());
    }
  }
  return out;
}

std::string quoted(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) {
    out += out.empty() ? "'" : ", '";
    out += printable(name, 64);
    out += "'";
    if (out.size() > 256) break;
  }
  return out.empty() ? "none" : out;
}

void read_kubernetes(const json& claims, TokenClaims& out) {
  const auto kubernetes = claims.find("kubernetes.io");
  if (kubernetes == claims.end() || !kubernetes->is_object()) return;
  out.name_space = text_of(*kubernetes, "namespace");
  if (const auto account = kubernetes->find("serviceaccount");
      account != kubernetes->end() && account->is_object()) {
    out.service_account = text_of(*account, "name");
    out.service_account_uid = text_of(*account, "uid");
  }
  if (const auto pod = kubernetes->find("pod"); pod != kubernetes->end() && pod->is_object()) {
    out.pod_name = text_of(*pod, "name");
    out.pod_uid = text_of(*pod, "uid");
  }
}

}  // namespace

Result<TokenClaims> verify_jwt(std::string_view token, const Jwks& keys, WallTime now,
                               const TokenChecks& checks) {
  WEFT_ASSIGN(const Parts parts, split_token(token));
  WEFT_TRY(check_signature(parts, keys));
  WEFT_TRY(check_times(parts.claims, now, checks.leeway));

  TokenClaims out;
  out.issuer = text_of(parts.claims, "iss");
  if (!checks.issuer.empty() && out.issuer != checks.issuer) {
    return fail(Code::refused, str_cat("the token's issuer is '", printable(out.issuer), "', expected '",
                                       checks.issuer, "'"));
  }
  out.audiences = audiences_of(parts.claims);
  const bool for_us =
      std::any_of(out.audiences.begin(), out.audiences.end(), [&](const std::string& audience) {
        return std::find(checks.audiences.begin(), checks.audiences.end(), audience) !=
               checks.audiences.end();
      });
  if (!for_us) {
    return fail(Code::refused, str_cat("the token's audience is ", quoted(out.audiences), ", expected ",
                                       quoted(checks.audiences)));
  }
  out.subject = text_of(parts.claims, "sub");
  out.token_id = text_of(parts.claims, "jti");
  out.expires = *time_of(parts.claims, "exp");
  read_kubernetes(parts.claims, out);
  return out;
}

Result<std::string> sign_jwt(std::string_view claims_json, std::string_view key_id, const PrivateKey& key) {
  if (!key.public_key().is_p256()) return fail(Code::invalid, "sign a token: the key is not ECDSA P-256");
  const std::string header = json{{"alg", "ES256"}, {"typ", "JWT"}, {"kid", key_id}}.dump(
      -1, ' ', false, json::error_handler_t::replace);
  std::string token = str_cat(base64url_encode(header), ".", base64url_encode(claims_json));
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned digest_size = 0;
  if (EVP_Digest(token.data(), token.size(), digest.data(), &digest_size, EVP_sha256(), nullptr) != 1) {
    return fail(library_error("sign a token"));
  }
  bssl::UniquePtr<ECDSA_SIG> pair(
      ECDSA_do_sign(digest.data(), digest_size, EVP_PKEY_get0_EC_KEY(key.native())));
  std::array<std::uint8_t, es256_bytes> raw;
  if (!pair || BN_bn2bin_padded(raw.data(), 32, ECDSA_SIG_get0_r(pair.get())) != 1 ||
      BN_bn2bin_padded(raw.data() + 32, 32, ECDSA_SIG_get0_s(pair.get())) != 1) {
    return fail(library_error("sign a token"));
  }
  return str_cat(token, ".", base64url_encode(view_of(raw.data(), raw.size())));
}

}  // namespace weft::tls
