// Ports whose protocol nobody declared: who speaks first decides, and that is learned.
#include "base/limits.h"
#include "base/text.h"
#include "sidecar/server_first.h"
#include "tests/sidecar/mesh_fixture.h"
#include "tests/support/stream_recorder.h"
#include "tls/tls_stream.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* raw_get = "GET / HTTP/1.1\r\nhost: world\r\n\r\n";

TEST(ServerFirst, HoldsAsLongAsWhatItWasLearnedWith) {
  sidecar::ServerFirst learned;
  const Address port = Address::parse("198.18.0.1:3306").value();
  auto basis = std::make_shared<int>(1);
  EXPECT_FALSE(learned.contains(port, basis));
  learned.learn(port, basis);
  EXPECT_TRUE(learned.contains(port, basis));
  EXPECT_FALSE(learned.contains(port, std::make_shared<int>(1)));
  EXPECT_FALSE(learned.contains(port, nullptr));
  basis = std::make_shared<int>(2);
  EXPECT_FALSE(learned.contains(port, basis)) << "the old one is gone";
  learned.learn(port, basis);
  learned.forget(port);
  EXPECT_FALSE(learned.contains(port, basis));
}

TEST(ServerFirst, IsBounded) {
  sidecar::ServerFirst learned;
  const auto basis = std::make_shared<int>(1);
  for (std::uint16_t port = 1; port <= 3000; ++port) {
    learned.learn(Address{IpAddress::parse("198.18.0.1").value(), port}, basis);
  }
  EXPECT_EQ(learned.size(), sidecar::ServerFirst::addresses_max);
}

// A permissive pod, and a caller outside the mesh.
class MeshDetectTest : public MeshTest {
 protected:
  MeshDetectTest() : mysql_(pod("198.18.0.2", "mysql")) { mysql_->set_inbound(permissive()); }

  policy::InboundPolicy permissive() const { return mysql_->inbound_policy(policy::MtlsMode::permissive); }
  std::unique_ptr<StreamRecorder> connected(sim::SimLoop& from, std::string_view says = {}) {
    auto client = std::make_unique<StreamRecorder>();
    const auto connecting =
        from.connect(Address{mysql_->ip(), app_port}, {}, [&](Result<std::unique_ptr<io::Stream>> stream) {
          ASSERT_TRUE(stream) << stream.error().message;
          client->take(*std::move(stream));
          client->stream->write(says);
        });
    EXPECT_TRUE(network_.run_until([&] { return client->stream != nullptr; }));
    return client;
  }
  // How long a client that says nothing waits for its greeting.
  Duration greeted_after() {
    const MonotonicTime begun = network_.now();
    const auto client = connected(outside_);
    EXPECT_TRUE(network_.run_until([&] { return client->data == "greetings"; }, 10s));
    return network_.now() - begun;
  }
  void serve_greetings() {
    listener_ = mysql_->loop()
                    .listen(Address{mysql_->ip(), app_port}, {},
                            [this](std::unique_ptr<io::Stream> stream) {
                              served_.push_back(std::make_unique<StreamRecorder>(std::move(stream)));
                              served_.back()->stream->write("greetings");
                            })
                    .value();
  }

  sim::SimLoop& outside_ = network_.add_loop({IpAddress::parse("198.19.0.1").value()});
  std::unique_ptr<SimPod> mysql_;
  std::vector<std::unique_ptr<StreamRecorder>> served_;
  std::unique_ptr<io::Listener> listener_;
};

TEST_F(MeshDetectTest, AnInboundServerThatSpeaksFirstIsWaitedForOnlyOnce) {
  serve_greetings();
  EXPECT_GE(greeted_after(), limits::detect_silence);
  for (int i = 0; i < 3; ++i) EXPECT_LT(greeted_after(), limits::detect_silence / 2);
  mysql_->set_inbound([this] {
    policy::InboundPolicy changed = permissive();
    changed.log_level = "debug";
    return changed;
  }());
  EXPECT_GE(greeted_after(), limits::detect_silence) << "another policy, perhaps another server";
  EXPECT_LT(greeted_after(), limits::detect_silence / 2);
}

TEST_F(MeshDetectTest, AClientThatSpeaksFirstAfterAllIsUnderstoodAndWhatWasLearnedIsForgotten) {
  serve_greetings();
  greeted_after();
  listener_.reset();
  mysql_->serve(app_port, says("world"));
  const auto client = connected(outside_, raw_get);
  ASSERT_TRUE(network_.run_until([&] { return client->data.ends_with("world"); }));
  client->stream->write(raw_get);
  network_.advance(1s);
  EXPECT_EQ(mysql_->telemetry.requests.size(), 2u) << "as HTTP, request by request";
  EXPECT_EQ(mysql_->context().server_first.size(), 0u);
}

TEST_F(MeshDetectTest, AMeshedCallerIsRecognisedOnAPortWhoseServerSpeaksFirst) {
  serve_greetings();
  greeted_after();
  auto hello = pod("198.18.0.1", "hello");
  policy::Service undeclared = service({mysql_->endpoint(app_port)});
  undeclared.protocol = policy::Protocol::detect;
  hello->know({undeclared});
  StreamRecorder client;
  const auto connecting =
      hello->connect(undeclared.addresses[0],
                     [&](Result<std::unique_ptr<io::Stream>> stream) { client.take(*std::move(stream)); });
  ASSERT_TRUE(network_.run_until([&] { return client.data == "greetings"; }));
  client.stream->end();
  served_.back()->stream->end();
  network_.advance(1s);
  ASSERT_FALSE(mysql_->telemetry.connections.empty());
  EXPECT_EQ(mysql_->telemetry.connections.back().peers.source_identity, hello->identity());
}

TEST_F(MeshDetectTest, AFirstWordThatDecidesNothingIsNotHeldBackForEver) {
  std::unique_ptr<StreamRecorder> application;
  const auto listener = mysql_->loop()
                            .listen(Address{mysql_->ip(), app_port}, {},
                                    [&](std::unique_ptr<io::Stream> stream) {
                                      application = std::make_unique<StreamRecorder>(std::move(stream));
                                    })
                            .value();
  const auto client = connected(outside_);
  network_.advance(1s);
  client->stream->write("PU");  // a method, or not
  const MonotonicTime begun = network_.now();
  ASSERT_TRUE(network_.run_until([&] { return application && application->data == "PU"; }, 1min));
  EXPECT_LE(network_.now() - begun, limits::header_read_timeout + 100ms);
}

// The caller's owner is not known, so its silence is taken for what it may be; then its ClientHello comes.
TEST_F(MeshDetectTest, ALateClientHelloIsNotHandedToTheApplication) {
  std::vector<std::unique_ptr<StreamRecorder>> applications;
  const auto listener =
      mysql_->loop()
          .listen(Address{mysql_->ip(), app_port}, {},
                  [&](std::unique_ptr<io::Stream> stream) {
                    applications.push_back(std::make_unique<StreamRecorder>(std::move(stream)));
                  })
          .value();
  auto hello = pod("198.18.0.1", "hello");
  auto silent = connected(hello->loop());
  network_.advance(3 * limits::detect_silence);
  EXPECT_EQ(applications.size(), 1u) << "opened, in case that it speaks first";
  StreamRecorder secured;
  tls::ClientOptions options;
  options.expected_identity = SpiffeId::parse(mysql_->identity()).value();
  options.alpn = {"weft-tcp"};
  const auto handshake =
      tls::handshake_client(hello->loop(), std::move(silent->stream), hello->context().credentials->client,
                            std::move(options), [&](Result<std::unique_ptr<tls::TlsStream>> stream) {
                              ASSERT_TRUE(stream) << stream.error().message;
                              secured.take(*std::move(stream));
                              secured.stream->write("secret");
                            });
  ASSERT_TRUE(
      network_.run_until([&] { return applications.size() == 2 && applications[1]->data == "secret"; }));
  EXPECT_EQ(applications[0]->data, "");
}

// Nothing but HTTP could pass there: no server can be the one that speaks first.
TEST_F(MeshDetectTest, WhereHttpRulesGovernASilentClientIsWaitedFor) {
  policy::InboundPolicy governed = permissive();
  policy::RbacRule rule;
  rule.name = "service default/mysql deny #1";
  rule.action = policy::RbacAction::deny;
  rule.paths = {"/secret"};
  for (policy::InboundPort& port : governed.ports) {
    port.protocol = policy::Protocol::detect;
    port.rules = {rule};
  }
  mysql_->set_inbound(governed);
  mysql_->serve(app_port, says("world"));
  const auto client = connected(outside_);
  network_.advance(1s);
  ASSERT_FALSE(client->over());
  client->stream->write(raw_get);
  EXPECT_TRUE(network_.run_until([&] { return client->data.ends_with("world"); }));
  const auto opaque = connected(outside_);
  network_.advance(1s);
  opaque->stream->write("\x01\x02\x03\x04");
  EXPECT_TRUE(network_.run_until([&] { return opaque->over(); }));
  EXPECT_EQ(opaque->data, "");
  EXPECT_EQ(mysql_->telemetry.refused["http-rule-on-opaque"], 1);
}

TEST_F(MeshTest, WhatIsNoHttpOrSaysNothingIsClosedWhereNothingIsKnown) {
  auto hello = pod("198.18.0.1", "hello");
  for (const std::string_view says : {"", "\x01\x02\x03\x04", "SSH-2.0-client\r\n"}) {
    hello->telemetry.refused.clear();
    StreamRecorder client;
    const auto connecting = hello->connect(Address::parse("198.18.77.77:80").value(),
                                           [&](Result<std::unique_ptr<io::Stream>> stream) {
                                             ASSERT_TRUE(stream);
                                             client.take(*std::move(stream));
                                             client.stream->write(says);
                                           });
    EXPECT_TRUE(network_.run_until([&] { return client.over(); }, 5s)) << says;
    EXPECT_EQ(client.data, "");
    EXPECT_EQ(hello->telemetry.refused["no-config"], 1) << says;
  }
}

}  // namespace
}  // namespace weft::test
