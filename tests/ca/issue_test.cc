// What the CA puts into certificates and whom it refuses, as tables.
#include <gtest/gtest.h>

#include "base/text.h"
#include "ca/template.h"
#include "ca/validator.h"

namespace weft::ca {
namespace {

using namespace std::chrono_literals;
using codec::GrpcCode;

const WallTime now = WallTime(1780315200s);
const SpiffeId id_a{"cluster.local", "default", "a"};
const SpiffeId id_discovery{"cluster.local", "weft-system", "weft-discovery"};

IssuePolicy policy() {
  IssuePolicy policy;
  EXPECT_TRUE(
      add_control_plane(policy, "weft-system/weft-discovery=weft-discovery.weft-system.svc,discovery"));
  return policy;
}

tls::CertificateTemplate leaf(const SpiffeId& id, Duration asked,
                              WallTime signer_not_after = now + 24h * 3650) {
  return leaf_template(id, policy(), asked, now, signer_not_after, "\1").value();
}

TEST(LeafTemplate, HasOneUriNoSubjectAndBothUses) {
  const auto tmpl = leaf(id_a, {});
  EXPECT_EQ(tmpl.uris, std::vector<std::string>{"spiffe://cluster.local/ns/default/sa/a"});
  EXPECT_TRUE(tmpl.dns_names.empty());
  EXPECT_EQ(tmpl.common_name, "");
  EXPECT_EQ(tmpl.organization, "");
  EXPECT_FALSE(tmpl.is_ca);
  EXPECT_TRUE(tmpl.server_auth);
  EXPECT_TRUE(tmpl.client_auth);
  EXPECT_EQ(tmpl.not_before, now - 60s);
}

TEST(LeafTemplate, BoundsTheLifetimeThatIsAskedFor) {
  struct Row {
    Duration asked;
    Duration given;
  };
  for (const auto& row : {Row{0s, 24h}, Row{-1s, 24h}, Row{1h, 1h}, Row{24h, 24h}, Row{25h, 24h},
                          Row{24h * 3650, 24h}, Row{1s, 10min}, Row{10min, 10min}}) {
    EXPECT_EQ(leaf(id_a, row.asked).not_after,
              now + std::chrono::duration_cast<WallTime::duration>(row.given))
        << row.asked.count();
  }
}

TEST(LeafTemplate, CapsTtlToSigningCertificate) {
  EXPECT_EQ(leaf(id_a, {}, now + 1h).not_after, now + 1h);
  EXPECT_EQ(leaf(id_a, {}, now + 1s).not_after, now + 1s);
  const auto expired = leaf_template(id_a, policy(), {}, now, now, "\1");
  ASSERT_FALSE(expired);
  EXPECT_EQ(expired.error().code, Code::unavailable);
}

TEST(LeafTemplate, GivesDnsNamesToTheControlPlaneAlone) {
  EXPECT_EQ(leaf(id_discovery, {}).dns_names,
            (std::vector<std::string>{"weft-discovery.weft-system.svc", "discovery"}));
  EXPECT_TRUE(leaf({"cluster.local", "default", "weft-discovery"}, {}).dns_names.empty());
  EXPECT_TRUE(leaf({"other", "weft-system", "weft-discovery"}, {}).dns_names.empty());
}

TEST(ControlPlane, RefusesWhatIsNoAccountOrName) {
  for (const char* text : {"", "a", "a/b", "a=b", "/b=c", "a/=c", "a/b=", "a/b=c,", "a/b=C", "a/b=*.c",
                           "a/b=c d", "a/b/c=d", "a/b=-c"}) {
    IssuePolicy policy;
    EXPECT_FALSE(add_control_plane(policy, text)) << text;
  }
}

TEST(BearerToken, TakesWhatFollowsBearer) {
  EXPECT_EQ(bearer_token("Bearer abc").value(), "abc");
  EXPECT_EQ(bearer_token("bearer  abc ").value(), "abc");
  for (const std::optional<std::string_view> bad : std::initializer_list<std::optional<std::string_view>>{
           std::nullopt, "", "Bearer", "Bearer ", "abc", "Basic abc"}) {
    ASSERT_FALSE(bearer_token(bad)) << bad.value_or("nothing");
    EXPECT_EQ(bearer_token(bad).error().reason, Reason::no_token);
    EXPECT_EQ(bearer_token(bad).error().status().code, GrpcCode::unauthenticated);
  }
}

tls::TokenClaims claims() {
  tls::TokenClaims claims;
  claims.subject = "system:serviceaccount:default:a";
  claims.name_space = "default";
  claims.service_account = "a";
  claims.pod_name = "a-1";
  claims.pod_uid = "p1";
  return claims;
}

TEST(IdentityOf, ComesFromTheTokenAlone) {
  EXPECT_EQ(identity_of(claims(), "cluster.local").value(), id_a);
  EXPECT_EQ(identity_of(claims(), "other").value(), (SpiffeId{"other", "default", "a"}));
}

TEST(IdentityOf, RefusesWithTheReason) {
  struct Row {
    const char* name;
    void (*spoil)(tls::TokenClaims&);
    Reason reason;
    const char* part;
  };
  const Row rows[] = {
      {"no namespace", [](auto& c) { c.name_space = ""; }, Reason::bad_identity, "names no service account"},
      {"no account", [](auto& c) { c.service_account = ""; }, Reason::bad_identity,
       "names no service account"},
      {"no pod", [](auto& c) { c.pod_name = ""; }, Reason::not_pod_bound, "not bound to a pod"},
      {"no pod uid", [](auto& c) { c.pod_uid = ""; }, Reason::not_pod_bound, "not bound to a pod"},
      {"path in the account",
       [](auto& c) {
         c.service_account = "a/../b";
         c.subject = "";
       },
       Reason::bad_identity, "makes no identity"},
      {"another subject", [](auto& c) { c.subject = "system:serviceaccount:default:b"; },
       Reason::bad_identity, "subject is 'system:serviceaccount:default:b'"},
  };
  for (const auto& row : rows) {
    auto spoilt = claims();
    row.spoil(spoilt);
    const auto id = identity_of(spoilt, "cluster.local");
    ASSERT_FALSE(id) << row.name;
    EXPECT_EQ(id.error().reason, row.reason) << row.name;
    EXPECT_NE(id.error().message.find(row.part), std::string::npos) << id.error().message;
    EXPECT_EQ(id.error().status().code, GrpcCode::permission_denied);
  }
}

TEST(CheckRequest, AllowsTheOwnNamesOnly) {
  const auto key = tls::PrivateKey::generate().value().public_key();
  const std::string own = id_a.to_string();
  const std::string discovery = id_discovery.to_string();
  struct Row {
    const char* name;
    SpiffeId id;
    tls::CertificateRequest request;
    std::optional<Reason> reason;
  };
  const Row rows[] = {
      {"the id", id_a, {key, {own}, {}, {}, ""}, std::nullopt},
      {"no name at all", id_a, {key, {}, {}, {}, ""}, std::nullopt},
      {"a common name, which is not signed", id_a, {key, {own}, {}, {}, "root"}, std::nullopt},
      {"another id", id_a, {key, {discovery}, {}, {}, ""}, Reason::wrong_identity},
      {"both", id_a, {key, {own, discovery}, {}, {}, ""}, Reason::wrong_identity},
      {"twice", id_a, {key, {own, own}, {}, {}, ""}, Reason::bad_csr},
      {"a DNS name", id_a, {key, {own}, {"weft-discovery.weft-system.svc"}, {}, ""}, Reason::wrong_identity},
      {"an IP address", id_a, {key, {own}, {}, {"IP address"}, ""}, Reason::bad_csr},
      {"its DNS name", id_discovery, {key, {discovery}, {"discovery"}, {}, ""}, std::nullopt},
      {"another DNS name", id_discovery, {key, {discovery}, {"weft-ca"}, {}, ""}, Reason::wrong_identity},
  };
  for (const auto& row : rows) {
    const auto refusal = check_request(row.request, row.id, policy());
    EXPECT_EQ(refusal ? std::optional(refusal->reason) : std::nullopt, row.reason) << row.name;
  }
  const auto refusal = check_request({key, {discovery}, {}, {}, ""}, id_a, policy());
  EXPECT_EQ(refusal->message, str_cat("the CSR asks for '", discovery, "', but the token is of ", own));
  EXPECT_EQ(refusal->status().code, GrpcCode::permission_denied);
}

}  // namespace
}  // namespace weft::ca
