// Tokens and key sets. Four readings of the input: a whole token; header and payload by lines, with the
// encoding done, so that mutations reach behind it; claims, signed, so that they reach behind that too; a key
// set. The one key of the first two signed nothing but the example of RFC 7515 § A.3, so nothing else may be
// accepted.
#include <algorithm>
#include <string>

#include "base/text.h"
#include "tests/fuzz/fuzz.h"
#include "tls/jwt.h"

namespace {

using namespace weft;

constexpr std::string_view key_set =
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";
constexpr std::string_view signature =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

constexpr WallTime long_ago{std::chrono::seconds(1300819000)};

void check(std::string_view token) {
  static const tls::Jwks keys = tls::parse_jwks(key_set).value();
  const auto claims = tls::verify_jwt(token, keys, long_ago, {{"weft-ca"}, ""});
  WEFT_CHECK(!claims);  // the example has no audience
  WEFT_CHECK(!claims.error().message.empty() && claims.error().message.size() < 2048);
}

void check_claims(std::string_view claims_json) {
  static const tls::PrivateKey key = tls::PrivateKey::generate().value();
  static const tls::Jwks keys = tls::parse_jwks(tls::jwks_of(key.public_key(), "").value()).value();
  const auto token = tls::sign_jwt(claims_json, "", key);
  WEFT_CHECK(token.has_value());
  const auto claims = tls::verify_jwt(*token, keys, long_ago, {{"weft-ca"}, "issuer"});
  if (!claims) {
    WEFT_CHECK(!claims.error().message.empty() && claims.error().message.size() < 2048);
    return;
  }
  WEFT_CHECK(claims->issuer == "issuer" && claims->expires + std::chrono::seconds(10) > long_ago);
  WEFT_CHECK(std::find(claims->audiences.begin(), claims->audiences.end(), "weft-ca") !=
             claims->audiences.end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::text(data, size);
  check(bytes);
  const auto line = bytes.find('\n');
  const auto header = bytes.substr(0, line);
  const auto payload = line == std::string_view::npos ? std::string_view() : bytes.substr(line + 1);
  check(str_cat(base64url_encode(header), ".", base64url_encode(payload), ".", signature));
  check_claims(bytes);
  if (const auto parsed = tls::parse_jwks(bytes)) {
    WEFT_CHECK(!parsed->keys.empty());
    for (const auto& key : parsed->keys) {
      WEFT_CHECK((key.algorithm == "ES256" && key.key.is_p256()) ||
                 (key.algorithm == "RS256" && key.key.is_rsa() && key.key.bits() >= 2048));
    }
  }
  return 0;
}
