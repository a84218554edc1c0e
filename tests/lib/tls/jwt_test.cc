// Tokens: only what a known key signed, for us, now, is believed.
#include "tls/jwt.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/lib/tls/test_root.h"

namespace weft::tls {
namespace {

using namespace std::chrono_literals;
using test::noon;

std::int64_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

struct Issuer {
  PrivateKey key = PrivateKey::generate().value();
  Jwks keys = parse_jwks(jwks_of(key.public_key(), "k1").value()).value();

  std::string sign(const std::string& claims, std::string_view key_id = "k1") const {
    return sign_jwt(claims, key_id, key).value();
  }
};

std::string claims(std::string_view more = "") {
  return str_cat(
      R"({"iss":"https://kubernetes.default.svc","aud":["weft-ca"],"sub":"system:serviceaccount:default:a",)",
      R"("iat":)", seconds(noon() - 1min), R"(,"nbf":)", seconds(noon() - 1min), R"(,"exp":)",
      seconds(noon() + 1h),
      R"(,"kubernetes.io":{"namespace":"default","serviceaccount":{"name":"a","uid":"u1"},)",
      R"("pod":{"name":"a-1","uid":"p1"}})", more, "}");
}

const TokenChecks checks{{"weft-ca", "istio-ca"}, "https://kubernetes.default.svc"};

std::string refusal(const Result<TokenClaims>& result) {
  return result ? "accepted" : result.error().message;
}

TEST(Jwt, GoodTokenYieldsKubernetesClaims) {
  const Issuer issuer;
  const auto token = verify_jwt(issuer.sign(claims()), issuer.keys, noon(), checks);
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->name_space, "default");
  EXPECT_EQ(token->service_account, "a");
  EXPECT_EQ(token->service_account_uid, "u1");
  EXPECT_EQ(token->pod_name, "a-1");
  EXPECT_EQ(token->pod_uid, "p1");
  EXPECT_EQ(token->subject, "system:serviceaccount:default:a");
  EXPECT_EQ(token->audiences, std::vector<std::string>{"weft-ca"});
  EXPECT_EQ(token->expires, noon() + 1h);
}

TEST(Jwt, HoldsFromIssueToExpiryWithLeeway) {
  const Issuer issuer;
  const auto token = issuer.sign(claims());
  EXPECT_TRUE(verify_jwt(token, issuer.keys, noon() + 1h + 9s, checks));
  EXPECT_NE(refusal(verify_jwt(token, issuer.keys, noon() + 1h + 10s, checks)).find("expired at"),
            std::string::npos);
  EXPECT_TRUE(verify_jwt(token, issuer.keys, noon() - 70s, checks));
  EXPECT_NE(refusal(verify_jwt(token, issuer.keys, noon() - 71s, checks)).find("not valid before"),
            std::string::npos);
}

TEST(Jwt, RefusesWithTheReason) {
  const Issuer issuer;
  const Issuer foreign;
  struct Row {
    const char* name;
    std::string token;
    const char* reason;
  };
  const std::string expiry = str_cat(R"("exp":)", seconds(noon() + 1h));
  const Row rows[] = {
      {"foreign signature", foreign.sign(claims()), "signature is wrong"},
      {"unknown key", foreign.sign(claims(), "k2"), "key 'k2', which the key set does not have"},
      {"wrong audience",
       issuer.sign(str_cat(R"({"iss":"https://kubernetes.default.svc","aud":["x"],)", expiry, "}")),
       "audience is 'x', expected 'weft-ca', 'istio-ca'"},
      {"no audience", issuer.sign(str_cat(R"({"iss":"https://kubernetes.default.svc",)", expiry, "}")),
       "audience is none"},
      {"wrong issuer", issuer.sign(str_cat(R"({"iss":"https://x","aud":"weft-ca",)", expiry, "}")),
       "issuer is 'https://x'"},
      {"no expiry", issuer.sign(R"({"aud":"weft-ca"})"), "no expiry"},
      {"expiry as text", issuer.sign(R"({"aud":"weft-ca","exp":"9999999999"})"), "no expiry"},
      {"payload no object", issuer.sign("[1]"), "payload is not a JSON object"},
      {"empty", "", "empty"},
      {"two parts", "a.b", "three parts"},
      {"four parts", issuer.sign(claims()) + ".x", "three parts"},
      {"not base64", "!.!.!", "not base64url"},
      {"too long", std::string(token_bytes_max + 1, 'a'), "longer than 16 KiB"},
  };
  for (const auto& row : rows) {
    const auto result = verify_jwt(row.token, issuer.keys, noon(), checks);
    EXPECT_NE(refusal(result).find(row.reason), std::string::npos) << row.name << ": " << refusal(result);
  }
}

std::string with_header(const std::string& token, std::string_view header) {
  return base64url_encode(header) + token.substr(token.find('.'));
}

TEST(Jwt, NeverNoneNorHmacNorAnotherAlgorithmThanTheKeys) {
  const Issuer issuer;
  const auto good = issuer.sign(claims());
  for (const char* algorithm : {"none", "None", "HS256", "ES384", "RS256", ""}) {
    const auto token = with_header(good, str_cat(R"({"alg":")", algorithm, R"(","kid":"k1"})"));
    EXPECT_FALSE(verify_jwt(token, issuer.keys, noon(), checks)) << algorithm;
    EXPECT_FALSE(verify_jwt(token.substr(0, token.rfind('.') + 1), issuer.keys, noon(), checks)) << algorithm;
  }
  EXPECT_FALSE(verify_jwt(with_header(good, R"({"kid":"k1"})"), issuer.keys, noon(), checks));
}

TEST(Jwt, RefusesACriticalExtension) {
  const Issuer issuer;
  const auto token = with_header(issuer.sign(claims()), R"({"alg":"ES256","kid":"k1","crit":["x"]})");
  EXPECT_NE(refusal(verify_jwt(token, issuer.keys, noon(), checks)).find("crit"), std::string::npos);
}

TEST(Jwt, RefusesEveryFlippedCharacterOfThePayload) {
  const Issuer issuer;
  const auto good = issuer.sign(claims());
  const auto from = good.find('.') + 1;
  for (std::size_t at = from; at < good.size(); ++at) {
    if (good[at] == '.') continue;
    std::string spoilt = good;
    spoilt[at] = spoilt[at] == 'A' ? 'Q' : 'A';
    EXPECT_FALSE(verify_jwt(spoilt, issuer.keys, noon(), checks)) << at;
  }
}

TEST(Jwt, NoErrorQuotesTheToken) {
  const Issuer issuer;
  const Issuer foreign;
  for (const auto& token : {foreign.sign(claims()), issuer.sign(R"({"aud":"x","exp":9999999999})"),
                            std::string("aaaa.bbbb.cc!c")}) {
    const auto signature = token.substr(token.rfind('.') + 1);
    EXPECT_EQ(refusal(verify_jwt(token, issuer.keys, noon(), checks)).find(signature), std::string::npos);
  }
}

// An example of RFC 7515 § A.2: signed with RSA by somebody else's code.
TEST(Jwt, VerifiesTheRs256ExampleOfTheRfc) {
  const auto keys = parse_jwks(
      R"({"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]})");
  ASSERT_TRUE(keys) << keys.error().message;
  const std::string token =
      "eyJhbGciOiJSUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
      "cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
      "O8W2Fp5jujGbds9uJd"
      "bF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
      "eSN9383LcOLn"
      "6_dO--xi12jzDwusC-"
      "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0i"
      "gcN_IoypGlUPQGe77Rw";
  // The signature holds, so what is found wrong is what comes after it: the audience, or the time.
  const auto before = verify_jwt(token, *keys, WallTime(1300819000s), {{"x"}, ""});
  EXPECT_NE(refusal(before).find("audience is none"), std::string::npos) << refusal(before);
  const auto after = verify_jwt(token, *keys, noon(), {{"x"}, ""});
  EXPECT_NE(refusal(after).find("expired"), std::string::npos) << refusal(after);
}

TEST(Jwks, KeepsGoodKeysAndSaysWhichAreBad) {
  const Issuer issuer;
  const auto good = jwks_of(issuer.key.public_key(), "k1").value();
  const auto inner = good.substr(good.find('[') + 1, good.rfind(']') - good.find('[') - 1);
  const auto keys = parse_jwks(str_cat(
      R"({"keys":[{"kty":"oct","k":"c2VjcmV0"},)", inner,
      R"(,{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"},{"kty":"EC","crv":"P-521","x":"AQ","y":"AQ"},7,)",
      R"({"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"RSA","alg":"PS256","n":"AQAB","e":"AQAB"},)",
      R"({"kty":"EC","use":"enc","crv":"P-256","x":"AQ","y":"AQ"}]})"));
  ASSERT_TRUE(keys) << keys.error().message;
  ASSERT_EQ(keys->keys.size(), 1u);
  EXPECT_EQ(keys->keys[0].id, "k1");
  EXPECT_EQ(keys->problems.size(), 7u);
  EXPECT_EQ(keys->problems[0], "key 1 left out: its kind 'oct' is neither EC nor RSA");
}

TEST(Jwks, RefusesWhatHasNoUsableKey) {
  for (const char* text : {"", "{", "[]", "{}", R"({"keys":{}})", R"({"keys":[]})", R"({"keys":[{}]})"}) {
    EXPECT_FALSE(parse_jwks(text)) << text;
  }
  EXPECT_EQ(parse_jwks(std::string(2000000, ' ')).error().code, Code::limit);
}

}  // namespace
}  // namespace weft::tls
