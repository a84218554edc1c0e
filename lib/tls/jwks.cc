// Key sets (RFC 7517): public keys out of JSON and back.
#include <array>

#include <nlohmann/json.hpp>
#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#include "base/text.h"
#include "tls/boring.h"
#include "tls/jwt.h"

namespace weft::tls {
namespace {

using nlohmann::json;

constexpr std::size_t jwks_bytes_max = 1024 * 1024;
constexpr std::size_t jwks_keys_max = 128;

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<bssl::UniquePtr<BIGNUM>> number_of(const json& object, const char* name) {
  const auto bytes = base64url_decode(text_of(object, name));
  if (!bytes || bytes->empty() || bytes->size() > 1024) {
    return fail(Code::invalid, str_cat("'", name, "' is missing or no base64url number"));
  }
  return bssl::UniquePtr<BIGNUM>(BN_bin2bn(bytes_of(*bytes), bytes->size(), nullptr));
}

Result<PublicKey> ec_key(const json& object) {
  if (text_of(object, "crv") != "P-256") return fail(Code::invalid, "its curve is not P-256");
  WEFT_ASSIGN(const auto x, number_of(object, "x"));
  WEFT_ASSIGN(const auto y, number_of(object, "y"));
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  // Refuses a point that is not on the curve.
  if (!ec || !key || EC_KEY_set_public_key_affine_coordinates(ec.get(), x.get(), y.get()) != 1 ||
      EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) != 1) {
    ERR_clear_error();
    return fail(Code::invalid, "its point is not on the curve P-256");
  }
  return PublicKey(key.release());
}

Result<PublicKey> rsa_key(const json& object) {
  WEFT_ASSIGN(auto n, number_of(object, "n"));
  WEFT_ASSIGN(auto e, number_of(object, "e"));
  bssl::UniquePtr<RSA> rsa(RSA_new());
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  if (!rsa || !key || RSA_set0_key(rsa.get(), n.get(), e.get(), nullptr) != 1) {
    return fail(library_error("RSA key"));
  }
  n.release();  // both are the key's now
  e.release();
  if (EVP_PKEY_set1_RSA(key.get(), rsa.get()) != 1) return fail(library_error("RSA key"));
  // Through its encoding, which checks length and exponent.
  auto parsed = PublicKey::from_der(PublicKey(key.release()).to_der());
  if (!parsed) return fail(Code::invalid, parsed.error().message);
  return parsed;
}

Result<Jwk> parse_key(const json& object) {
  if (!object.is_object()) return fail(Code::invalid, "not a JSON object");
  const std::string kind = text_of(object, "kty");
  if (kind != "EC" && kind != "RSA") {
    return fail(Code::invalid, str_cat("its kind '", printable(kind, 16), "' is neither EC nor RSA"));
  }
  const std::string algorithm = kind == "EC" ? "ES256" : "RS256";
  if (object.contains("alg") && text_of(object, "alg") != algorithm) {
    return fail(Code::invalid, str_cat("its algorithm is '", printable(text_of(object, "alg"), 16),
                                       "', expected ", algorithm));
  }
  if (object.contains("use") && text_of(object, "use") != "sig") {
    return fail(Code::invalid, "it is not meant for signatures");
  }
  WEFT_ASSIGN(auto key, kind == "EC" ? ec_key(object) : rsa_key(object));
  return Jwk{text_of(object, "kid"), algorithm, std::move(key)};
}

}  // namespace

Result<Jwks> parse_jwks(std::string_view text) {
  if (text.size() > jwks_bytes_max) return fail(Code::limit, "key set of more than 1 MiB");
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) return fail(Code::invalid, "key set: not a JSON object");
  const auto keys = document.find("keys");
  if (keys == document.end() || !keys->is_array()) return fail(Code::invalid, "key set: no array 'keys'");
  if (keys->size() > jwks_keys_max) return fail(Code::limit, "key set: more than 128 keys");
  Jwks out;
  for (std::size_t i = 0; i < keys->size(); ++i) {
    auto key = parse_key((*keys)[i]);
    if (key) {
      out.keys.push_back(*std::move(key));
    } else {
      out.problems.push_back(str_cat("key ", i + 1, " left out: ", key.error().message));
    }
  }
  if (out.keys.empty()) {
    return fail(Code::invalid, str_cat("key set: not one usable key", out.problems.empty() ? "" : "; ",
                                       join(out.problems, "; ")));
  }
  return out;
}

Result<std::string> jwks_of(const PublicKey& key, std::string_view key_id) {
  if (!key.is_p256()) return fail(Code::invalid, "key set: the key is not ECDSA P-256");
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(key.native());
  bssl::UniquePtr<BIGNUM> x(BN_new());
  bssl::UniquePtr<BIGNUM> y(BN_new());
  std::array<std::uint8_t, 32> x_bytes;
  std::array<std::uint8_t, 32> y_bytes;
  if (!x || !y ||
      EC_POINT_get_affine_coordinates_GFp(EC_KEY_get0_group(ec), EC_KEY_get0_public_key(ec), x.get(), y.get(),
                                          nullptr) != 1 ||
      BN_bn2bin_padded(x_bytes.data(), x_bytes.size(), x.get()) != 1 ||
      BN_bn2bin_padded(y_bytes.data(), y_bytes.size(), y.get()) != 1) {
    return fail(library_error("write a key set"));
  }
  const json document{{"keys",
                       {{{"kty", "EC"},
                         {"crv", "P-256"},
                         {"alg", "ES256"},
                         {"use", "sig"},
                         {"kid", key_id},
                         {"x", base64url_encode(view_of(x_bytes.data(), x_bytes.size()))},
                         {"y", base64url_encode(view_of(y_bytes.data(), y_bytes.size()))}}}}};
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace weft::tls
