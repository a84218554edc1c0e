// Whom a verified chain may speak for: a table.
#include "tls/peer_check.h"

#include <gtest/gtest.h>

#include "tests/lib/tls/test_root.h"

namespace weft::tls {
namespace {

using namespace std::chrono_literals;
using test::noon;
using test::TestRoot;
using Kind = ChainError::Kind;

constexpr auto id_a = "spiffe://cluster.local/ns/default/sa/a";

TEST(CheckPeer, RefusesWhatIsNoLeaf) {
  const TestRoot root(noon());
  auto tmpl = root.leaf(id_a);
  tmpl.is_ca = true;
  const auto ca = root.sign(tmpl)->chain;
  const auto refused = check_peer(ca, *root.bundle(), {}, noon());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::wrong_purpose);
  EXPECT_EQ(check_peer({root.certificate()}, *root.bundle(), {}, noon()).error().kind, Kind::wrong_purpose);
  EXPECT_EQ(check_peer({}, *root.bundle(), {}, noon()).error().kind, Kind::malformed);
}

TEST(CheckPeer, HoldsFromTheFirstToTheLastSecond) {
  const TestRoot root(noon());
  const auto chain = root.svid(id_a)->chain;
  const auto kind_at = [&](WallTime now) {
    const auto peer = check_peer(chain, *root.bundle(), {}, now);
    return peer ? std::optional<Kind>() : peer.error().kind;
  };
  EXPECT_EQ(kind_at(noon() - 61s), Kind::not_yet_valid);
  EXPECT_EQ(kind_at(noon() - 59s), std::nullopt);
  EXPECT_EQ(kind_at(noon() + 59min), std::nullopt);
  EXPECT_EQ(kind_at(noon() + 1h + 1s), Kind::expired);
}

TEST(CheckPeer, TrustsAnyRootOfTheBundleAndNoOther) {
  const TestRoot old_root(noon());
  const TestRoot new_root(noon());
  const TestRoot foreign(noon());
  const TrustBundle both({old_root.certificate(), new_root.certificate()}, "cluster.local");
  EXPECT_TRUE(check_peer(old_root.svid(id_a)->chain, both, {}, noon()));
  EXPECT_TRUE(check_peer(new_root.svid(id_a)->chain, both, {}, noon()));
  EXPECT_EQ(check_peer(foreign.svid(id_a)->chain, both, {}, noon()).error().kind, Kind::unknown_root);
}

// A peer may send any root along; it proves nothing.
TEST(CheckPeer, DoesNotTrustARootThatThePeerSent) {
  const TestRoot root(noon());
  const TestRoot foreign(noon());
  auto chain = foreign.svid(id_a)->chain;
  chain.push_back(foreign.certificate());
  EXPECT_EQ(check_peer(chain, *root.bundle(), {}, noon()).error().kind, Kind::unknown_root);
}

TEST(CheckPeer, RefusesAnIntermediateThatMayNotSignIntermediates) {
  const TestRoot root(noon());
  const auto intermediate = [&](const Certificate& issuer, const PrivateKey& issuer_key,
                                const PrivateKey& key, unsigned path_length) {
    CertificateTemplate tmpl;
    tmpl.serial = random_serial();
    tmpl.common_name = "intermediate " + std::to_string(path_length);
    tmpl.not_before = noon() - 1h;
    tmpl.not_after = noon() + 2h;
    tmpl.is_ca = true;
    tmpl.path_length = path_length;
    return sign_certificate(tmpl, key.public_key(), &issuer, issuer_key).value();
  };
  const auto first_key = PrivateKey::generate().value();
  const auto second_key = PrivateKey::generate().value();
  for (const unsigned path_length : {0u, 1u}) {
    const auto first = intermediate(root.certificate(), root.key(), first_key, path_length);
    const auto second = intermediate(first, first_key, second_key, 7);
    const auto key = PrivateKey::generate().value();
    const auto leaf = sign_certificate(root.leaf(id_a), key.public_key(), &second, second_key).value();
    EXPECT_EQ(check_peer({leaf, second, first}, *root.bundle(), {}, noon()).has_value(), path_length == 1);
  }
}

TEST(CheckPeer, AnExpiredRootEndsTrust) {
  const TestRoot root(noon());
  auto tmpl = root.leaf(id_a);
  tmpl.not_after = noon() + 24h * 800;
  const auto chain = root.sign(tmpl)->chain;
  EXPECT_TRUE(check_peer(chain, *root.bundle(), {}, noon()));
  EXPECT_EQ(check_peer(chain, *root.bundle(), {}, noon() + 24h * 500).error().kind, Kind::expired);
}

TEST(CheckPeer, DoesNotReportAnIdentityOfAnotherTrustDomain) {
  const TestRoot root(noon());
  auto tmpl = root.leaf("spiffe://other/ns/default/sa/a");
  tmpl.dns_names = {"api"};
  const auto peer =
      check_peer(root.sign(tmpl)->chain, *root.bundle(), {Purpose::server, std::nullopt, "api"}, noon());
  ASSERT_TRUE(peer);
  EXPECT_FALSE(peer->identity);
  EXPECT_EQ(peer->dns_names, std::vector<std::string>{"api"});
}

}  // namespace
}  // namespace weft::tls
