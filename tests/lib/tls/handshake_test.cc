// Who gets through a handshake, and who is told what. Every row runs in virtual time and over real sockets.
#include <vector>

#include "base/text.h"
#include "tests/lib/tls/handshake_world.h"

namespace weft::tls {
namespace {

using namespace std::chrono_literals;
using test::TestRoot;

template <class World>
class Handshakes : public test::HandshakeTest<World> {};
using Worlds = testing::Types<test::SimWorld, test::UvWorld>;
TYPED_TEST_SUITE(Handshakes, Worlds);

#define EXPECT_TEXT(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TYPED_TEST(Handshakes, VerifyBothSidesAndAgreeOnAProtocol) {
  this->shake_hands();
  EXPECT_EQ(this->client_.stream->peer().identity->to_string(), this->id_b);
  EXPECT_EQ(this->server_.stream->peer().identity->to_string(), this->id_a);
  EXPECT_EQ(this->server_.stream->peer().certificate_sha256.size(), 64u);
  EXPECT_GT(this->server_.stream->peer().not_after, this->root_.now());
  EXPECT_EQ(this->client_.stream->alpn(), "weft-http/1.1");
  EXPECT_EQ(this->server_.stream->alpn(), "weft-http/1.1");
  EXPECT_EQ(this->client_.calls, 1);
  EXPECT_EQ(this->server_.calls, 1);
}

TYPED_TEST(Handshakes, GoOnWithoutAlpnWhenNoneIsOurs) {
  this->connect();
  this->start_server(this->server_context(this->root_.svid(this->id_b)));
  auto options = this->expect(this->id_b);
  options.alpn = {"h3", "x"};
  this->start_client(this->client_context(this->root_.svid(this->id_a)), options);
  ASSERT_TRUE(this->both_over());
  ASSERT_TRUE(this->client_.stream && this->server_.stream);
  EXPECT_EQ(this->client_.stream->alpn(), "");
  EXPECT_EQ(this->server_.stream->alpn(), "");
}

// A certificate that is wrong in one way, and what becomes of it.
struct Wrong {
  const char* name;
  std::shared_ptr<const Svid> svid;
  const char* reason;  // of whoever looks at it
  const char* alert;   // that whoever showed it hears
};

// What is wrong whichever side shows it. `other` is another's id.
std::vector<Wrong> wrong_on_either_side(const TestRoot& root, const std::string& id,
                                        const std::string& other) {
  const TestRoot foreign(root.now());
  const auto leaf = [&](auto spoil) { return root.spoilt(id, spoil); };
  return {
      {"foreign root", foreign.svid(id), "no trust root signed", "unknown CA"},
      {"expired", leaf([&](auto& t) { t.not_after = root.now() - 1s; }), "expired at", "certificate expired"},
      {"not yet valid", leaf([&](auto& t) { t.not_before = root.now() + 10min; }), "not valid before",
       "certificate expired"},
      {"two URIs", leaf([&](auto& t) { t.uris.push_back(other); }), "several URIs", "bad certificate"},
      {"DNS name only", leaf([&](auto& t) {
         t.uris = {};
         t.dns_names = {"name"};
       }),
       "no URI", "bad certificate"},
  };
}

// A server certificate that is wrong in one way: the client refuses it, says why, and the server hears an
// alert.
TYPED_TEST(Handshakes, ClientRefusesAServerThatIsNotTheExpectedOne) {
  const TestRoot& root = this->root_;
  std::vector<Wrong> rows = wrong_on_either_side(root, this->id_b, this->id_a);
  rows.push_back(
      {"wrong identity", root.svid("spiffe://cluster.local/ns/default/sa/c"),
       "is for spiffe://cluster.local/ns/default/sa/c, expected spiffe://cluster.local/ns/default/sa/b",
       "bad certificate"});
  rows.push_back({"wrong trust domain", root.svid("spiffe://other/ns/default/sa/b"),
                  "expected spiffe://cluster.local", "bad certificate"});
  rows.push_back({"client only", root.spoilt(this->id_b, [](auto& t) { t.server_auth = false; }),
                  "may not be used", "unsupported certificate"});
  for (const Wrong& row : rows) {
    SCOPED_TRACE(row.name);
    this->connect();
    this->start(row.svid, root.svid(this->id_a));
    ASSERT_TRUE(this->both_over());
    ASSERT_TRUE(this->client_.error && this->server_.error);
    EXPECT_EQ(this->client_.error->code, Code::refused);
    EXPECT_TEXT(this->client_.error->message, row.reason);
    EXPECT_EQ(this->server_.error->code, Code::refused);
    EXPECT_TEXT(this->server_.error->message, row.alert);
  }
}

// In TLS 1.3 a client is done before the server has looked at its certificate: it hears of the refusal on its
// stream, before any byte of an answer.
TYPED_TEST(Handshakes, ServerRefusesAClientWithoutAnAcceptableIdentity) {
  const TestRoot& root = this->root_;
  std::vector<Wrong> rows = wrong_on_either_side(root, this->id_a, this->id_b);
  rows.push_back({"no certificate", nullptr, "showed no certificate", "certificate required"});
  rows.push_back({"wrong trust domain", root.svid("spiffe://other/ns/default/sa/a"),
                  "outside the trust domain cluster.local", "bad certificate"});
  rows.push_back({"a URI that is no SPIFFE id",
                  root.spoilt(this->id_a, [](auto& t) { t.uris = {"https://x"}; }), "SPIFFE id",
                  "bad certificate"});
  rows.push_back({"server only", root.spoilt(this->id_a, [](auto& t) { t.client_auth = false; }),
                  "may not be used", "unsupported certificate"});
  for (const Wrong& row : rows) {
    SCOPED_TRACE(row.name);
    this->connect();
    this->start(root.svid(this->id_b), row.svid);
    ASSERT_TRUE(this->world_.run_until([&] { return this->client_.over(); }));
    ASSERT_TRUE(this->client_.stream) << this->client_.error->message;
    test::StreamRecorder recorder(std::move(this->client_.stream));
    recorder.stream->write("a secret that must not be handed up");
    ASSERT_TRUE(this->world_.run_until([&] { return this->server_.over() && recorder.over(); }));
    ASSERT_TRUE(this->server_.error);
    EXPECT_EQ(this->server_.error->code, Code::refused);
    EXPECT_TEXT(this->server_.error->message, row.reason);
    ASSERT_TRUE(recorder.error);
    EXPECT_EQ(recorder.data, "");
    EXPECT_EQ(recorder.error->code, Code::refused);
    EXPECT_TEXT(recorder.error->message, row.alert);
  }
}

TYPED_TEST(Handshakes, VerifyDnsNameAndIdentityOfAControlPlaneServer) {
  auto tmpl = this->root_.leaf("spiffe://cluster.local/ns/weft-system/sa/weft-ca");
  tmpl.dns_names = {"weft-ca.weft-system.svc", "weft-ca"};
  const auto svid = this->root_.sign(tmpl);
  struct Row {
    const char* name;
    const char* identity;
    const char* server_name;
    const char* reason;  // empty: it succeeds
  };
  const Row rows[] = {
      {"both", "spiffe://cluster.local/ns/weft-system/sa/weft-ca", "weft-ca.weft-system.svc", ""},
      {"another case", "spiffe://cluster.local/ns/weft-system/sa/weft-ca", "WEFT-CA", ""},
      {"name alone", "", "weft-ca", ""},
      {"wrong name", "spiffe://cluster.local/ns/weft-system/sa/weft-ca", "weft-discovery",
       "is for weft-ca.weft-system.svc, weft-ca, expected the DNS name weft-discovery"},
      {"wrong identity", "spiffe://cluster.local/ns/weft-system/sa/x", "weft-ca", "expected spiffe://"},
      {"name that only ends so", "", "x.weft-ca", "expected the DNS name"},
      {"nobody", "", "", "neither a SPIFFE id nor a DNS name"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    this->connect();
    this->start_server(Context::server(svid, nullptr, {{}, false}).value());
    ClientOptions options;
    if (*row.identity) options.expected_identity = SpiffeId::parse(row.identity).value();
    options.server_name = row.server_name;
    this->start_client(this->client_context(nullptr), options);
    ASSERT_TRUE(this->world_.run_until([&] { return this->client_.over(); }));
    if (*row.reason) {
      ASSERT_TRUE(this->client_.error);
      EXPECT_TEXT(this->client_.error->message, row.reason);
    } else {
      ASSERT_TRUE(this->client_.stream) << this->client_.error->message;
      ASSERT_TRUE(this->world_.run_until([&] { return this->server_.over(); }));
      ASSERT_TRUE(this->server_.stream) << this->server_.error->message;
      EXPECT_FALSE(this->server_.stream->peer().identity);
    }
  }
}

TYPED_TEST(Handshakes, TakeAnIntermediate) {
  const auto key = PrivateKey::generate().value();
  CertificateTemplate tmpl;
  tmpl.serial = random_serial();
  tmpl.common_name = "intermediate";
  tmpl.not_before = this->root_.now() - 1h;
  tmpl.not_after = this->root_.now() + 1h;
  tmpl.is_ca = true;
  tmpl.path_length = 0;
  const auto intermediate =
      sign_certificate(tmpl, key.public_key(), &this->root_.certificate(), this->root_.key()).value();
  auto leaf_key = PrivateKey::generate().value();
  const auto leaf =
      sign_certificate(this->root_.leaf(this->id_b), leaf_key.public_key(), &intermediate, key).value();
  const auto svid = make_svid(std::move(leaf_key),
                              {leaf.to_pem(), intermediate.to_pem(), this->root_.certificate().to_pem()});
  ASSERT_TRUE(svid) << svid.error().message;
  this->connect();
  this->start(*svid, this->root_.svid(this->id_a));
  ASSERT_TRUE(this->both_over());
  EXPECT_TRUE(this->client_.stream) << this->client_.error->message;
}

// A trust root that signs with another key under the same name must not help.
TYPED_TEST(Handshakes, RefuseALeafSignedByALeaf) {
  const auto signer = this->root_.svid(this->id_b);
  auto leaf_key = PrivateKey::generate().value();
  const auto leaf = sign_certificate(this->root_.leaf(this->id_b), leaf_key.public_key(),
                                     &signer->chain.front(), signer->key)
                        .value();
  auto svid = make_svid(std::move(leaf_key), {leaf.to_pem(), signer->chain.front().to_pem()}).value();
  this->connect();
  this->start(svid, this->root_.svid(this->id_a));
  ASSERT_TRUE(this->both_over());
  ASSERT_TRUE(this->client_.error);
  EXPECT_EQ(this->client_.error->code, Code::refused);
}

TYPED_TEST(Handshakes, TakeTheBytesADetectorHasRead) {
  this->connect();
  this->start_client(this->client_context(this->root_.svid(this->id_a)), this->expect(this->id_b));
  test::StreamRecorder detector(std::move(this->server_plain_));
  ASSERT_TRUE(this->world_.run_until([&] { return detector.data.size() > 100; }));
  this->server_plain_ = std::move(detector.stream);
  this->start_server(this->server_context(this->root_.svid(this->id_b)), detector.data);
  ASSERT_TRUE(this->both_over());
  EXPECT_TRUE(this->client_.stream && this->server_.stream);
}

// The ClientHello of a real client, caught and handed over byte by byte: the same end as in one piece.
TYPED_TEST(Handshakes, TakeAClientHelloByteByByte) {
  this->connect();
  this->start_client(this->client_context(this->root_.svid(this->id_a)), this->expect(this->id_b));
  test::StreamRecorder caught(std::move(this->server_plain_));
  this->world_.settle();
  auto client = std::move(this->client_);
  const std::string hello = caught.data;

  this->connect();
  test::StreamRecorder sender(std::move(this->client_plain_));
  this->start_server(this->server_context(this->root_.svid(this->id_b)));
  for (const char& byte : hello) {
    ASSERT_EQ(sender.data, "") << "answered before the whole message was there";
    sender.stream->write({&byte, 1});
    this->world_.step();
  }
  ASSERT_TRUE(this->world_.run_until([&] { return sender.data.size() > 3; }))
      << (this->server_.error ? this->server_.error->message : "no answer to a whole ClientHello");
  EXPECT_EQ(sender.data.substr(0, 3), std::string("\x16\x03\x03"));  // a ServerHello
}

TYPED_TEST(Handshakes, RefuseGarbageAndPlainHttp) {
  struct Row {
    std::string bytes;
    const char* reason;
  };
  const Row rows[] = {{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "plain HTTP"},
                      {std::string(100, '\xff'), "TLS"},
                      {std::string("\x16\x03\x01\xff\xff") + std::string(100, 'x'), "TLS"},
                      {std::string("\x16\x03\x01\x00\x05hello", 10), "TLS"}};
  for (const auto& row : rows) {
    SCOPED_TRACE(printable(row.bytes));
    this->connect();
    test::StreamRecorder peer(std::move(this->client_plain_));
    peer.stream->write(row.bytes);
    this->start_server(this->server_context(this->root_.svid(this->id_b)));
    // Some garbage looks like the beginning of a longer record.
    this->world_.settle();
    peer.stream->end();
    ASSERT_TRUE(this->world_.run_until([&] { return this->server_.over(); }));
    ASSERT_TRUE(this->server_.error);
    EXPECT_TEXT(this->server_.error->message, row.reason);
  }
}

TYPED_TEST(Handshakes, SayThatThePeerWentAway) {
  this->connect();
  test::StreamRecorder peer(std::move(this->client_plain_));
  peer.stream->write(std::string("\x16\x03\x01\x02\x00\x01", 6));
  peer.stream->end();
  this->start_server(this->server_context(this->root_.svid(this->id_b)));
  ASSERT_TRUE(this->world_.run_until([&] { return this->server_.over(); }));
  ASSERT_TRUE(this->server_.error);
  EXPECT_EQ(this->server_.error->code, Code::closed);
}

TYPED_TEST(Handshakes, DestroyedOnesNeverReport) {
  this->connect();
  this->start();
  this->client_.handshake.reset();
  ASSERT_TRUE(this->world_.run_until([&] { return this->server_.over(); }));
  this->world_.settle();
  EXPECT_EQ(this->client_.calls, 0);
}

TEST(HandshakeTimeout, EndsASilentPeer) {
  struct Timeout : test::HandshakeTest<test::SimWorld> {
    void TestBody() override {
      connect();
      start_server(server_context(root_.svid(id_b)));
      world_.sim().advance(4900ms);
      EXPECT_FALSE(server_.over());
      world_.sim().advance(200ms);
      ASSERT_TRUE(server_.error);
      EXPECT_EQ(server_.error->code, Code::timeout);
      EXPECT_TEXT(server_.error->message, "5000 ms");
    }
  };
  Timeout().TestBody();
}

// Whatever pieces the network makes of the bytes, from whatever seed, both ends come to the same end.
TEST(HandshakeSeeds, SucceedHoweverTheNetworkCutsTheBytes) {
  struct Seeds : test::HandshakeTest<test::SimWorld> {
    void TestBody() override {
      world_.sim().network().options().chunk_bytes_max = 7;
      shake_hands();
    }
  };
  Seeds().TestBody();
}

}  // namespace
}  // namespace weft::tls
