// How long connections live: age, certificates, policy, roots. In virtual time.
#include "base/limits.h"
#include "base/text.h"
#include "http/dial.h"
#include "tests/sidecar/mesh_fixture.h"
#include "tests/support/http2_frame.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* raw_get = "GET / HTTP/1.1\r\nhost: world\r\n\r\n";
constexpr const char* upgrade_request =
    "GET /chat HTTP/1.1\r\nhost: world\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
constexpr const char* upgrade_response =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

class MeshLifeTest : public MeshTest {
 protected:
  // A member of the mesh without a sidecar, which keeps no limit of its own on its connections.
  std::unique_ptr<StreamRecorder> mesh_connection(SimPod& from, const SimPod& to, std::string alpn) {
    auto client = std::make_unique<StreamRecorder>();
    http::DialTarget target;
    target.address = Address{to.ip(), app_port};
    target.context = from.context().credentials->client;
    target.expected_identity = SpiffeId::parse(to.identity()).value();
    target.alpn = {std::move(alpn)};
    const auto dialling =
        http::dial(from.loop(), std::move(target), [&](Result<std::unique_ptr<io::Stream>> stream) {
          ASSERT_TRUE(stream) << stream.error().message;
          client->take(*std::move(stream));
        });
    EXPECT_TRUE(network_.run_until([&] { return client->stream != nullptr; }));
    return client;
  }

  // An upgraded connection from `hello` to `world`, which carries bytes both ways.
  std::unique_ptr<StreamRecorder> upgraded(SimPod& hello, RawServer& app) {
    auto client = connected(hello, upgrade_request);
    EXPECT_TRUE(network_.run_until([&] { return app.got("\r\n\r\n"); }));
    app.last().stream->write(upgrade_response);
    EXPECT_TRUE(network_.run_until([&] { return client->data.ends_with("\r\n\r\n"); }));
    EXPECT_TRUE(carries(*client, app));
    return client;
  }
  bool carries(StreamRecorder& client, RawServer& app) {
    client.data.clear();
    if (!app.served.empty()) app.last().data.clear();
    client.stream->write("ping");
    if (!network_.run_until([&] { return app.got("ping"); }, 1s)) return false;
    app.last().stream->write("pong");
    return network_.run_until([&] { return client.data == "pong"; }, 1s);
  }

  static policy::RbacRule allow(const char* account, std::vector<std::string> methods = {}) {
    policy::RbacRule rule;
    rule.name = str_cat("service default/world allow ", account);
    policy::RbacSource source;
    source.kind = policy::RbacSource::Kind::service_account;
    source.name_space = "default";
    source.service_account = account;
    rule.from = {source};
    rule.methods = std::move(methods);
    return rule;
  }
  static void set_rules(SimPod& pod, std::vector<policy::RbacRule> rules) {
    policy::InboundPolicy policy = pod.inbound_policy();
    policy.ports[0].rules = std::move(rules);
    pod.set_inbound(policy);
  }
  static policy::Service opaque(std::vector<policy::Endpoint> endpoints) {
    policy::Service made = service(std::move(endpoints));
    made.protocol = policy::Protocol::tcp;
    return made;
  }
};

constexpr Duration shortest(Duration age) { return age - age * limits::age_jitter_percent / 100; }
constexpr Duration longest(Duration age) { return age + age * limits::age_jitter_percent / 100; }

TEST_F(MeshLifeTest, ACallerMakesItsConnectionAnewAtTheAgeLimitAndNoRequestNotices) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->serve(app_port, says("world"));
  hello->know({service({world->endpoint(app_port)})});
  const MonotonicTime begun = network_.now();
  while (world->telemetry.opened < 2 && network_.now() - begun < 3h) {
    const auto reply = call(*hello, get());
    ASSERT_TRUE(reply) << reply.error().message;
    ASSERT_EQ(reply->head.status, 200) << reply->body;
    network_.advance(30s);
  }
  EXPECT_GE(network_.now() - begun, shortest(limits::mesh_connection_age_max));
  EXPECT_LE(network_.now() - begun, longest(limits::mesh_connection_age_max) + 1min);
  EXPECT_TRUE(world->telemetry.ended.empty()) << "the caller was first";
}

TEST_F(MeshLifeTest, TheReceiverEndsAnOldConnectionWhoseCallerKeepsIt) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->serve(app_port, says("world"));
  const auto client = mesh_connection(*hello, *world, "weft-http/1.1");
  const MonotonicTime begun = network_.now();
  while (!client->over() && network_.now() - begun < 3h) {
    client->data.clear();
    client->stream->write(raw_get);
    ASSERT_TRUE(network_.run_until([&] { return client->data.ends_with("world"); }));
    network_.advance(1min);
  }
  EXPECT_EQ(client->ends, 1) << "an orderly end";
  EXPECT_GE(network_.now() - begun, shortest(limits::mesh_inbound_age_max));
  EXPECT_LE(network_.now() - begun, longest(limits::mesh_inbound_age_max) + 1min);
  EXPECT_EQ(world->telemetry.ended["age-limit"], 1);
}

TEST_F(MeshLifeTest, TheReceiverLetsARequestFinishAndSaysThatItWasTheLast) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const auto held = serve_nobody(*world);
  const auto client = mesh_connection(*hello, *world, "weft-http/1.1");
  const MonotonicTime begun = network_.now();
  while (world->telemetry.ended.empty() && network_.now() - begun < 3h) {
    client->data.clear();
    client->stream->write(raw_get);
    ASSERT_TRUE(network_.run_until([&] { return !held->empty(); }));
    network_.advance(4min);  // under way all the time
    held->front()(http::SimpleReply{200, "late", "text/plain", {}});
    held->clear();
    ASSERT_TRUE(network_.run_until([&] { return client->data.ends_with("late"); }));
  }
  EXPECT_NE(client->data.find("Connection: close"), std::string::npos) << client->data;
  EXPECT_TRUE(network_.run_until([&] { return client->over(); }));
  EXPECT_EQ(client->ends, 1);
}

// The CA is away: nobody renews. What is open ends in order, and what comes is refused by name.
TEST_F(MeshLifeTest, HttpEndsInOrderWhenACertificateExpiresThatNobodyRenews) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->serve(app_port, says("world"));
  hello->know({service({world->endpoint(app_port)})});
  hello->renew(root_, 10min);
  const auto kept = mesh_connection(*hello, *world, "weft-http/1.1");
  const MonotonicTime begun = network_.now();
  for (; network_.now() - begun < 10min - 1s; network_.advance(20s)) {
    const auto reply = call(*hello, get());
    ASSERT_TRUE(reply) << reply.error().message;
    ASSERT_EQ(reply->head.status, 200) << reply->body;
    kept->stream->write(raw_get);
  }
  network_.advance(10s);
  EXPECT_EQ(kept->ends, 1);
  EXPECT_EQ(kept->failures, 0);
  EXPECT_EQ(world->telemetry.ended, (std::map<std::string, int>{{"certificate-expired", 1}}))
      << "the sidecar let go of its own before";
  EXPECT_EQ(world->connections(), 0u);
  const auto reply = call(*hello, get());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.status, 503);
  EXPECT_NE(reply->body.find("certificate expired"), std::string::npos) << reply->body;
  // The CA is back.
  hello->renew(root_, 10min);
  EXPECT_EQ(call(*hello, get())->head.status, 200);
  // The receiver's own certificate.
  world->renew(root_, 1min);
  EXPECT_EQ(call(*hello, get())->head.status, 200);
  network_.advance(2min);
  EXPECT_EQ(call(*hello, get())->head.status, 503);
  EXPECT_EQ(world->telemetry.refused["certificate-expired"], 1);
}

TEST_F(MeshLifeTest, OpaqueTcpOutlivesACertificateUnlessItsAgeIsLimited) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const auto app = serve_raw(*world);
  hello->know({opaque({world->endpoint(app_port)})});
  struct Row {
    std::optional<Duration> max_age;
    Duration lives;
    const char* reason;
  };
  for (const Row& row :
       {Row{std::nullopt, 30min, ""}, Row{1h, 10min, "certificate-expired"}, Row{5min, 5min, "age-limit"}}) {
    app->served.clear();  // so ends what the row before left open
    network_.advance(1s);
    world->telemetry.ended.clear();
    policy::InboundPolicy policy = world->inbound_policy();
    if (row.max_age) policy.tcp_max_age = std::chrono::duration_cast<policy::Millis>(*row.max_age);
    world->set_inbound(policy);
    world->telemetry.connections.clear();
    hello->renew(root_, 10min);
    const auto client = connected(*hello, "");
    ASSERT_TRUE(carries(*client, *app)) << row.reason;
    network_.advance(row.lives - 5s);
    EXPECT_TRUE(carries(*client, *app)) << row.reason;
    network_.advance(10s);
    EXPECT_EQ(client->over(), row.max_age.has_value()) << row.reason;
    if (!row.max_age) continue;
    ASSERT_FALSE(world->telemetry.connections.empty());
    EXPECT_EQ(world->telemetry.connections.back().reason, row.reason);
    EXPECT_EQ(world->telemetry.ended[row.reason], 1);
  }
}

TEST_F(MeshLifeTest, AnAgeLimitThatComesLaterHoldsForWhatIsOpen) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const auto app = serve_raw(*world);
  hello->know({opaque({world->endpoint(app_port)})});
  const auto client = connected(*hello, "");
  ASSERT_TRUE(carries(*client, *app));
  network_.advance(10min);
  policy::InboundPolicy limited = world->inbound_policy();
  limited.tcp_max_age = policy::Millis(11min);
  world->set_inbound(limited);
  network_.advance(30s);
  world->set_inbound(world->inbound_policy());
  network_.advance(5min);
  EXPECT_TRUE(carries(*client, *app)) << "the limit went before it was reached";
  world->set_inbound(limited);
  EXPECT_TRUE(network_.run_until([&] { return client->over(); }, 1s));
}

TEST_F(MeshLifeTest, AnUpgradedConnectionEndsWithThePolicyThatLetItInAndNotBefore) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const auto app = serve_raw(*world);
  hello->know({service({world->endpoint(app_port)})});
  set_rules(*world, {allow("hello")});
  const auto client = upgraded(*hello, *app);
  // Each lets it in still, one way or another.
  set_rules(*world, {});
  set_rules(*world, {allow("somebody"), allow("hello", {"GET"})});
  network_.advance(1s);
  EXPECT_TRUE(carries(*client, *app));
  EXPECT_TRUE(world->telemetry.ended.empty());
  // This one would let its caller do other things, and not what became of this tunnel.
  set_rules(*world, {allow("hello", {"POST"})});
  EXPECT_TRUE(network_.run_until([&] { return client->over() && app->last().over(); }, 1s));
  EXPECT_EQ(world->telemetry.ended["policy-changed"], 1);
  ASSERT_EQ(world->telemetry.requests.size(), 1u);
  EXPECT_EQ(world->telemetry.requests[0].reason, "policy-changed");
}

TEST_F(MeshLifeTest, AnUpgradedConnectionOutlivesACertificateButNotItsRoot) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const auto app = serve_raw(*world);
  hello->know({service({world->endpoint(app_port)})});
  hello->renew(root_, 10min);
  const auto client = upgraded(*hello, *app);
  network_.advance(11min);
  EXPECT_TRUE(carries(*client, *app));
  world->tell_root_removed();
  EXPECT_TRUE(network_.run_until([&] { return client->over(); }, 1s));
}

// What a peer was believed by counts at the end of the handshake, not at its beginning: the root goes at
// every moment of one.
TEST_F(MeshLifeTest, AHandshakeThatARootIsRemovedUnderIsNotCompleted) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->serve(app_port, says("world"));
  for (Duration moment{0}; moment < 10ms; moment += 100us) {
    StreamRecorder client;
    http::DialTarget target;
    target.address = Address{world->ip(), app_port};
    target.context = hello->context().credentials->client;
    target.expected_identity = SpiffeId::parse(world->identity()).value();
    target.alpn = {"weft-http/1.1"};
    const auto dialling = http::dial(hello->loop(), std::move(target), [&](auto stream) {
      if (stream) client.take(*std::move(stream));
    });
    network_.advance(moment);
    world->tell_root_removed();
    network_.advance(1s);
  }
  EXPECT_GT(world->telemetry.refused["root-removed"], 0);
  EXPECT_GT(world->telemetry.ended["root-removed"], 0);
}

TEST_F(MeshLifeTest, AConnectionThatIsBeingMadeEndsWithItsRoot) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const auto app = serve_raw(*world);
  policy::Service undeclared = service({world->endpoint(app_port)});
  undeclared.protocol = policy::Protocol::detect;
  hello->know({undeclared});
  const auto client = connected(*hello, "");
  ASSERT_TRUE(network_.run_until([&] { return !app->served.empty(); }))
      << "silence: the server may speak first";
  hello->tell_root_removed();
  EXPECT_TRUE(network_.run_until([&] { return client->over(); }, 1s));
  EXPECT_EQ(hello->telemetry.refused["root-removed"], 1);
}

// Its word counts no more, whether it acknowledges that or not.
TEST_F(MeshLifeTest, AnExpiredCallerThatDoesNotGoIsNotServed) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const auto held = serve_nobody(*world);
  world->set_inbound(speaking(*world, policy::Protocol::http1));
  hello->renew(root_, 20s);
  const auto client = mesh_connection(*hello, *world, "weft-h2");
  client->stream->write(http2_preface());
  const std::string head = std::string("\x82\x86\x84\x41\x05") + "world";
  client->stream->write(raw_frame(1, 5, 1, head));
  ASSERT_TRUE(network_.run_until([&] { return held->size() == 1; }));
  network_.advance(15s);
  client->stream->write(raw_frame(1, 5, 3, head));
  ASSERT_TRUE(network_.run_until([&] { return held->size() == 2; }));
  network_.advance(11s);
  ASSERT_EQ(world->telemetry.ended["certificate-expired"], 1);
  ASSERT_FALSE(client->over()) << "it keeps two requests under way";
  client->stream->write(raw_frame(1, 5, 5, head));
  network_.advance(2s);
  EXPECT_EQ(held->size(), 2u) << "a request was served that came six seconds behind the expiry";
}

// It is no sidecar, which would always read: it may be busy.
TEST_F(MeshLifeTest, AMemberOfTheMeshWithoutASidecarIsNotAskedForASignOfLife) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const auto held = serve_nobody(*world);
  world->set_inbound(speaking(*world, policy::Protocol::http1));
  for (const std::string alpn : {"h2", "weft-h2"}) {
    const auto client = mesh_connection(*hello, *world, alpn);
    constexpr std::uint8_t headers = 1, end_stream_and_headers = 5;
    client->stream->write(http2_preface() +
                          raw_frame(headers, end_stream_and_headers, 1, "\x82\x86\x84\x41\x05world"));
    const std::size_t before = held->size();
    ASSERT_TRUE(network_.run_until([&] { return held->size() > before; }));
    network_.advance(2min);
    EXPECT_EQ(client->over(), alpn == "weft-h2");
  }
  EXPECT_EQ(world->telemetry.ended["peer-silent"], 1);
}

}  // namespace
}  // namespace weft::test
