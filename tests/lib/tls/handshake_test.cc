// Who gets through a handshake, and who is told what. Every row runs in virtual time and over real sockets.
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
  ASSERT_TRUE(this->world_.run_until([&] { return this->client_.over() && this->server_.over(); }));
  ASSERT_TRUE(this->client_.stream && this->server_.stream);
  EXPECT_EQ(this->client_.stream->alpn(), "");
  EXPECT_EQ(this->server_.stream->alpn(), "");
}

// A server certificate that is wrong in one way: the client refuses it, says why, and the server hears an
// alert.
TYPED_TEST(Handshakes, ClientRefusesAServerThatIsNotTheExpectedOne) {
  const TestRoot foreign(this->root_.now());
  const auto leaf = [&](auto&& spoil) {
    auto tmpl = this->root_.leaf(this->id_b);
    spoil(tmpl);
    return this->root_.sign(tmpl);
  };
  struct Row {
    const char* name;
    std::shared_ptr<const Svid> svid;
    const char* reason;
    const char* alert;
  };
  const Row rows[] = {
      {"wrong identity", this->root_.svid("spiffe://cluster.local/ns/default/sa/c"),
       "is for spiffe://cluster.local/ns/default/sa/c, expected spiffe://cluster.local/ns/default/sa/b",
       "bad certificate"},
      {"wrong trust domain", this->root_.svid("spiffe://other/ns/default/sa/b"),
       "expected spiffe://cluster.local", "bad certificate"},
      {"foreign root", foreign.svid(this->id_b), "no trust root signed", "unknown CA"},
      {"expired", leaf([&](auto& t) { t.not_after = this->root_.now() - 1s; }), "expired at",
       "certificate expired"},
      {"not yet valid", leaf([&](auto& t) { t.not_before = this->root_.now() + 10min; }), "not valid before",
       "certificate expired"},
      {"two URIs", leaf([&](auto& t) { t.uris.push_back(this->id_a); }), "several URIs", "bad certificate"},
      {"no URI", leaf([&](auto& t) {
         t.uris = {};
         t.dns_names = {"b"};
       }),
       "no URI", "bad certificate"},
      {"client only", leaf([&](auto& t) { t.server_auth = false; }), "may not be used",
       "unsupported certificate"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    this->client_ = {};
    this->server_ = {};
    this->server_plain_ = nullptr;
    this->client_plain_ = nullptr;
    this->connect();
    this->start_server(this->server_context(row.svid));
    this->start_client(this->client_context(this->root_.svid(this->id_a)), this->expect(this->id_b));
    ASSERT_TRUE(this->world_.run_until([&] { return this->client_.over() && this->server_.over(); }));
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
  const TestRoot foreign(this->root_.now());
  const auto leaf = [&](auto&& spoil) {
    auto tmpl = this->root_.leaf(this->id_a);
    spoil(tmpl);
    return this->root_.sign(tmpl);
  };
  struct Row {
    const char* name;
    std::shared_ptr<const Svid> svid;
    const char* reason;
    const char* alert;
  };
  const Row rows[] = {
      {"no certificate", nullptr, "showed no certificate", "certificate required"},
      {"wrong trust domain", this->root_.svid("spiffe://other/ns/default/sa/a"),
       "outside the trust domain cluster.local", "bad certificate"},
      {"foreign root", foreign.svid(this->id_a), "no trust root signed", "unknown CA"},
      {"expired", leaf([&](auto& t) { t.not_after = this->root_.now() - 1s; }), "expired at",
       "certificate expired"},
      {"not yet valid", leaf([&](auto& t) { t.not_before = this->root_.now() + 10min; }), "not valid before",
       "certificate expired"},
      {"two URIs", leaf([&](auto& t) { t.uris.push_back(this->id_b); }), "several URIs", "bad certificate"},
      {"a URI that is no SPIFFE id", leaf([&](auto& t) { t.uris = {"https://x"}; }), "SPIFFE id",
       "bad certificate"},
      {"DNS name only", leaf([&](auto& t) {
         t.uris = {};
         t.dns_names = {"a"};
       }),
       "no URI", "bad certificate"},
      {"server only", leaf([&](auto& t) { t.client_auth = false; }), "may not be used",
       "unsupported certificate"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    this->client_ = {};
    this->server_ = {};
    this->connect();
    this->start_server(this->server_context(this->root_.svid(this->id_b)));
    this->start_client(this->client_context(row.svid), this->expect(this->id_b));
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
    this->server_plain_ = nullptr;
    this->client_plain_ = nullptr;
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
    this->client_ = {};
    this->server_ = {};
    this->server_plain_ = nullptr;
    this->client_plain_ = nullptr;
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
  this->start_server(this->server_context(*svid));
  this->start_client(this->client_context(this->root_.svid(this->id_a)), this->expect(this->id_b));
  ASSERT_TRUE(this->world_.run_until([&] { return this->client_.over() && this->server_.over(); }));
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
  this->start_server(this->server_context(svid));
  this->start_client(this->client_context(this->root_.svid(this->id_a)), this->expect(this->id_b));
  ASSERT_TRUE(this->world_.run_until([&] { return this->client_.over() && this->server_.over(); }));
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
  ASSERT_TRUE(this->world_.run_until([&] { return this->client_.over() && this->server_.over(); }));
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
    this->server_ = {};
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
    this->server_plain_ = nullptr;
    this->client_plain_ = nullptr;
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
  this->start_server(this->server_context(this->root_.svid(this->id_b)));
  this->start_client(this->client_context(this->root_.svid(this->id_a)), this->expect(this->id_b));
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
