// Keys, certificates, requests: what is written can be read back, and what is broken is refused.
#include <gtest/gtest.h>

#include "tests/lib/tls/test_root.h"
#include "tls/csr.h"

namespace weft::tls {
namespace {

using namespace std::chrono_literals;
using test::noon;
using test::TestRoot;

constexpr auto id_a = "spiffe://cluster.local/ns/default/sa/a";

TEST(PrivateKey, GeneratesDifferentP256Keys) {
  const auto a = PrivateKey::generate().value();
  const auto b = PrivateKey::generate().value();
  EXPECT_TRUE(a.public_key().is_p256());
  EXPECT_EQ(a.public_key().description(), "ECDSA P-256");
  EXPECT_FALSE(a.public_key() == b.public_key());
}

TEST(PrivateKey, SurvivesPem) {
  const auto key = PrivateKey::generate().value();
  const auto pem = key.to_pem();
  EXPECT_TRUE(pem.view().starts_with("-----BEGIN PRIVATE KEY-----\n"));
  EXPECT_TRUE(PrivateKey::from_pem(pem.view()).value().public_key() == key.public_key());
}

TEST(PrivateKey, RefusesWhatIsNoKeyAndDoesNotQuoteIt) {
  for (const std::string text :
       {"", "secret", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nsecret\n-----END CERTIFICATE-----\n"}) {
    const auto key = PrivateKey::from_pem(text);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, Code::invalid);
    EXPECT_EQ(key.error().message.find("c2VjcmV0"), std::string::npos);
  }
  EXPECT_EQ(PrivateKey::from_pem(std::string(70000, 'x')).error().code, Code::limit);
}

TEST(PublicKey, SurvivesDerAndRefusesBytesBehindIt) {
  const auto key = PrivateKey::generate().value().public_key();
  EXPECT_TRUE(PublicKey::from_der(key.to_der()).value() == key);
  EXPECT_FALSE(PublicKey::from_der(key.to_der() + "x"));
  EXPECT_FALSE(PublicKey::from_der(key.to_der().substr(1)));
  EXPECT_FALSE(PublicKey::from_der(""));
}

TEST(Certificate, SaysWhatWasSigned) {
  const TestRoot root(noon());
  auto tmpl = root.leaf(id_a);
  tmpl.dns_names = {"a.default.svc", "b"};
  const auto svid = root.sign(tmpl);
  const Certificate& leaf = svid->chain.front();
  EXPECT_EQ(leaf.uris(), std::vector<std::string>{id_a});
  EXPECT_EQ(leaf.dns_names(), (std::vector<std::string>{"a.default.svc", "b"}));
  EXPECT_EQ(leaf.spiffe_id().value().to_string(), id_a);
  EXPECT_EQ(leaf.not_before(), noon() - 1min);
  EXPECT_EQ(leaf.not_after(), noon() + 1h);
  EXPECT_FALSE(leaf.is_ca());
  EXPECT_FALSE(leaf.is_self_signed());
  EXPECT_EQ(leaf.subject(), "");
  EXPECT_EQ(leaf.sha256_hex().size(), 64u);
  EXPECT_EQ(leaf.serial_hex().size(), 32u);
  EXPECT_TRUE(leaf.public_key() == svid->key.public_key());
  EXPECT_TRUE(root.certificate().is_ca());
  EXPECT_TRUE(root.certificate().is_self_signed());
  EXPECT_EQ(root.certificate().subject(), "CN=test root,O=cluster.local");
}

TEST(Certificate, SurvivesPemAndDer) {
  const TestRoot root(noon());
  EXPECT_EQ(Certificate::from_pem(root.certificate().to_pem()).value(), root.certificate());
  EXPECT_EQ(Certificate::from_der(root.certificate().der()).value(), root.certificate());
}

TEST(Certificate, RefusesCutAndSpoiltBytes) {
  const TestRoot root(noon());
  const std::string der = root.certificate().der();
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(Certificate::from_der(der.substr(0, size))) << size;
  }
  EXPECT_FALSE(Certificate::from_der(der + "x"));
  EXPECT_EQ(Certificate::from_der(std::string(70000, 'x')).error().code, Code::limit);
}

TEST(Certificate, NeedsExactlyOneValidUriToHaveAnIdentity) {
  const TestRoot root(noon());
  auto tmpl = root.leaf(id_a);
  tmpl.uris.push_back("spiffe://cluster.local/ns/default/sa/b");
  EXPECT_FALSE(root.sign(tmpl)->chain.front().spiffe_id());
  tmpl.uris = {};
  EXPECT_FALSE(root.sign(tmpl)->chain.front().spiffe_id());
  tmpl.uris = {"https://example.com"};
  EXPECT_FALSE(root.sign(tmpl)->chain.front().spiffe_id());
  tmpl.uris = {std::string(id_a) + std::string(1, '\0') + ".example"};
  EXPECT_FALSE(root.sign(tmpl)->chain.front().spiffe_id());
}

TEST(ParseChain, KeepsOrderAndSkipsTextBetween) {
  const TestRoot root(noon());
  const auto leaf = root.svid(id_a)->chain.front();
  const auto chain =
      parse_chain("leaf\n" + leaf.to_pem() + "\nroot\n" + root.certificate().to_pem() + "end\n").value();
  ASSERT_EQ(chain.size(), 2u);
  EXPECT_EQ(chain[0], leaf);
  EXPECT_EQ(chain[1], root.certificate());
}

TEST(ParseChain, RefusesNoneBrokenAndTooMany) {
  const TestRoot root(noon());
  const std::string pem = root.certificate().to_pem();
  EXPECT_FALSE(parse_chain(""));
  EXPECT_FALSE(parse_chain("nothing"));
  EXPECT_FALSE(parse_chain(pem + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
  EXPECT_FALSE(parse_chain(pem + pem.substr(0, pem.size() / 2)));
  std::string many;
  for (int i = 0; i < 17; ++i) many += pem;
  EXPECT_EQ(parse_chain(many).error().code, Code::limit);
  EXPECT_EQ(parse_chain(std::string(300000, '\n')).error().code, Code::limit);
}

TEST(TrustBundle, HoldsSeveralRootsAndRefusesALeaf) {
  const TestRoot a(noon());
  const TestRoot b(noon());
  const auto both =
      TrustBundle::from_pem(a.certificate().to_pem() + b.certificate().to_pem(), "cluster.local").value();
  EXPECT_EQ(both->roots().size(), 2u);
  EXPECT_EQ(TrustBundle::from_pem(both->to_pem(), "cluster.local").value()->roots(), both->roots());
  EXPECT_FALSE(TrustBundle::from_pem(a.svid(id_a)->chain.front().to_pem(), "cluster.local"));
}

TEST(SignCertificate, RefusesABadSerialAndTimesTheWrongWayRound) {
  const TestRoot root(noon());
  auto tmpl = root.leaf(id_a);
  const auto key = PrivateKey::generate().value();
  const auto sign = [&] { return sign_certificate(tmpl, key.public_key(), &root.certificate(), root.key()); };
  EXPECT_TRUE(sign());
  tmpl.serial = "";
  EXPECT_FALSE(sign());
  tmpl.serial = "\x80";
  EXPECT_FALSE(sign());
  tmpl.serial = std::string(21, '\1');
  EXPECT_FALSE(sign());
  tmpl.serial = "\1";
  tmpl.not_after = tmpl.not_before;
  EXPECT_FALSE(sign());
}

TEST(MakeSvid, TakesTheAnswerOfACaApart) {
  const TestRoot root(noon());
  auto key = PrivateKey::generate().value();
  const auto leaf =
      sign_certificate(root.leaf(id_a), key.public_key(), &root.certificate(), root.key()).value();
  const auto svid = make_svid(std::move(key), {leaf.to_pem(), root.certificate().to_pem()}).value();
  EXPECT_EQ(svid->chain, std::vector<Certificate>{leaf});
  EXPECT_EQ(svid->id.to_string(), id_a);
  EXPECT_EQ(svid->not_after, noon() + 1h);
}

TEST(MakeSvid, RefusesALeafForAnotherKeyAndACa) {
  const TestRoot root(noon());
  const auto other = root.svid(id_a)->chain.front().to_pem();
  EXPECT_FALSE(make_svid(PrivateKey::generate().value(), {other}));
  EXPECT_FALSE(make_svid(PrivateKey::generate().value(), {}));
  EXPECT_FALSE(make_svid(PrivateKey::generate().value(), {root.certificate().to_pem()}));
}

// ---- certificate signing requests ----

TEST(Csr, SaysKeyAndIdentity) {
  const auto key = PrivateKey::generate().value();
  const auto pem = make_csr(key, SpiffeId::parse(id_a).value()).value();
  const auto csr = parse_csr(pem).value();
  EXPECT_TRUE(csr.key == key.public_key());
  EXPECT_EQ(csr.uris, std::vector<std::string>{id_a});
  EXPECT_TRUE(csr.dns_names.empty());
  EXPECT_TRUE(csr.other_names.empty());
  EXPECT_EQ(csr.common_name, "");
}

TEST(Csr, RefusesWhatIsCutSpoiltOrTooLong) {
  const auto key = PrivateKey::generate().value();
  const auto pem = make_csr(key, SpiffeId::parse(id_a).value()).value();
  EXPECT_FALSE(parse_csr(""));
  EXPECT_FALSE(parse_csr("garbage"));
  EXPECT_FALSE(parse_csr(pem.substr(0, pem.size() / 2)));
  EXPECT_FALSE(parse_csr(pem + pem));
  EXPECT_EQ(parse_csr(std::string(csr_bytes_max + 1, 'x')).error().code, Code::limit);
}

// Whoever changes the request does not have the key: the signature must not fit any more.
TEST(Csr, RefusesEveryFlippedByte) {
  const auto key = PrivateKey::generate().value();
  const auto pem = make_csr(key, SpiffeId::parse(id_a).value()).value();
  const auto begin = pem.find('\n') + 1;
  for (std::size_t at = begin; at < pem.rfind("\n-----END"); ++at) {
    if (pem[at] == '\n' || pem[at] == '=') continue;
    std::string spoilt = pem;
    spoilt[at] = spoilt[at] == 'A' ? 'B' : 'A';
    if (spoilt == pem) continue;
    const auto csr = parse_csr(spoilt);
    if (!csr) continue;
    // The last digits before the padding may have bits that mean nothing.
    EXPECT_EQ(csr->uris, std::vector<std::string>{id_a}) << at;
    EXPECT_GE(at + 4, pem.rfind("\n-----END")) << at;
  }
}

}  // namespace
}  // namespace weft::tls
