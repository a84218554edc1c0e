// Two or more pods on a simulated network: what the data path does, without a kernel and in virtual time.
#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/sidecar/mesh_fixture.h"
#include "tests/support/stream_recorder.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

TEST_F(MeshTest, CarriesARequestOverMutualTlsAndNamesTheCaller) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  std::string client_cert, path;
  world->serve(app_port, [&](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
    client_cert = request.head.headers.get("x-forwarded-client-cert").value_or("");
    path = request.head.target;
    respond(http::SimpleReply{200, "world", "text/plain", {}});
  });
  hello->know({service({world->endpoint(app_port)})});
  http::FetchRequest request = get("/a/../b//c");
  request.head.headers.add("x-forwarded-client-cert", "By=forged");
  const auto reply = call(*hello, std::move(request));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.status, 200) << reply->body;
  EXPECT_EQ(reply->body, "world");
  EXPECT_EQ(path, "/b/c");
  EXPECT_TRUE(client_cert.starts_with("By=" + world->identity() + ";Hash=")) << client_cert;
  EXPECT_TRUE(client_cert.ends_with(";URI=" + hello->identity())) << client_cert;
  network_.advance(1s);
  ASSERT_EQ(world->telemetry.requests.size(), 1u);
  EXPECT_EQ(world->telemetry.requests[0].peers.source_identity, hello->identity());
  ASSERT_EQ(hello->telemetry.requests.size(), 1u);
  EXPECT_TRUE(hello->telemetry.requests[0].peers.mutual_tls);
  EXPECT_EQ(hello->telemetry.requests[0].peers.destination_identity, world->identity());
}

TEST_F(MeshTest, RefusesACallerWithoutAnAllowRuleAndNamesTheRule) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->serve(app_port, says("never"));
  policy::InboundPolicy policy = world->inbound_policy();
  policy::RbacRule rule;
  rule.name = "service default/world allow #1";
  policy::RbacSource other;
  other.kind = policy::RbacSource::Kind::service_account;
  other.name_space = "default";
  other.service_account = "other";
  rule.from = {other};
  policy.ports[0].rules = {rule};
  world->set_inbound(policy);
  hello->know({service({world->endpoint(app_port)})});
  const auto reply = call(*hello, get());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.status, 403);
  EXPECT_EQ(reply->head.headers.get("x-weft-error"), "rbac-denied");
}

TEST_F(MeshTest, TellsAPlaintextHttpCallerThatTheyNeedMutualTls) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->serve(app_port, says("never"));
  policy::Endpoint plain = world->endpoint(app_port);
  plain.identity.clear();
  hello->know({service({plain})});
  const auto reply = call(*hello, get());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.status, 403);
  EXPECT_EQ(world->telemetry.refused["mtls-required"], 1);
}

TEST_F(MeshTest, APlaintextCallerInTheMidstOfItsBodySeesWhyItIsRefused) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->serve(app_port, says("never"));
  StreamRecorder client;
  const auto connecting = hello->loop().connect(
      Address{world->ip(), app_port}, {}, [&](Result<std::unique_ptr<io::Stream>> stream) {
        client.take(*std::move(stream));
        client.stream->write("PUT /upload HTTP/1.1\r\nhost: world\r\ncontent-length: 9000000\r\n\r\n");
        client.stream->write(std::string(5'000'000, 'x'));
      });
  ASSERT_TRUE(network_.run_until([&] { return client.data.ends_with("sidecar\n"); }));
  EXPECT_TRUE(client.data.starts_with("HTTP/1.1 403 Forbidden\r\n")) << client.data;
  EXPECT_NE(client.data.find("x-weft-error: mtls-required\r\n"), std::string::npos) << client.data;
  client.stream->end();
  EXPECT_TRUE(network_.run_until([&] { return world->connections() == 0; }, 4s));
  network_.advance(1s);
  EXPECT_EQ(client.failures, 0) << "no reset came in between";
  EXPECT_EQ(client.drains, 1) << "the rest of the body was read";
}

TEST_F(MeshTest, LetsAPlaintextCallerInWhereThePortIsPermissiveAsAnonymous) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->set_inbound(world->inbound_policy(policy::MtlsMode::permissive));
  world->serve(app_port, says("world"));
  policy::Endpoint plain = world->endpoint(app_port);
  plain.identity.clear();
  hello->know({service({plain})});
  const auto reply = call(*hello, get());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "world");
  network_.advance(1s);
  ASSERT_EQ(world->telemetry.requests.size(), 1u);
  EXPECT_EQ(world->telemetry.requests[0].peers.source_identity, "");
}

TEST_F(MeshTest, NeverSpeaksToAnEndpointWithAnotherIdentity) {
  auto hello = pod("198.18.0.1", "hello");
  auto impostor = pod("198.18.0.2", "impostor");
  impostor->serve(app_port, says("gotcha"));
  policy::Endpoint endpoint = impostor->endpoint(app_port);
  endpoint.identity = "spiffe://cluster.local/ns/default/sa/world";
  hello->know({service({endpoint})});
  const auto reply = call(*hello, get());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.status, 503);
  EXPECT_TRUE(impostor->telemetry.requests.empty());
}

TEST_F(MeshTest, GoesToAnotherEndpointWhenOneIsDeadWithoutBeingAsked) {
  auto hello = pod("198.18.0.1", "hello");
  auto alive = pod("198.18.0.2", "world");
  auto dead = pod("198.18.0.3", "world");
  alive->serve(app_port, says("alive"));
  network_.set_down(dead->ip(), true);
  hello->know({service({alive->endpoint(app_port), dead->endpoint(app_port)})});
  for (int i = 0; i < 20; ++i) {
    const auto reply = call(*hello, get());
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->body, "alive") << reply->head.status;
  }
}

TEST_F(MeshTest, RetriesAPostOnlyBecauseThePeersSidecarProvesThatNobodySawIt) {
  auto hello = pod("198.18.0.1", "hello");
  auto without_application = pod("198.18.0.2", "world");
  auto alive = pod("198.18.0.3", "world");
  int posts = 0;
  alive->serve(app_port, [&](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
    ++posts;
    respond(http::SimpleReply{200, request.body, "text/plain", {}});
  });
  hello->know({service({without_application->endpoint(app_port), alive->endpoint(app_port)})});
  for (int i = 1; i <= 20; ++i) {
    http::FetchRequest request = get();
    request.head.method = "POST";
    request.body = "payout";
    const auto reply = call(*hello, std::move(request));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->body, "payout");
    EXPECT_EQ(posts, i);
  }
}

TEST_F(MeshTest, TriesASlowEndpointElsewhereWithinThePerTryTimeout) {
  auto hello = pod("198.18.0.1", "hello");
  auto slow = pod("198.18.0.2", "world");
  auto quick = pod("198.18.0.3", "world");
  const auto held = serve_nobody(*slow);
  quick->serve(app_port, says("quick"));
  policy::Service governed = service({slow->endpoint(app_port), quick->endpoint(app_port)});
  governed.timeout = policy::Millis(10000);
  governed.retry.attempts = 2;
  governed.retry.per_try_timeout = policy::Millis(2000);
  hello->know({governed});
  for (int i = 0; i < 20; ++i) {
    const auto reply = call(*hello, get());
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->body, "quick");
  }
  EXPECT_FALSE(held->empty());
}

TEST_F(MeshTest, AnswersGatewayTimeoutWhenTheWholeExchangeTakesTooLong) {
  auto hello = pod("198.18.0.1", "hello");
  auto slow = pod("198.18.0.2", "world");
  const auto held = serve_nobody(*slow);
  policy::Service governed = service({slow->endpoint(app_port)});
  governed.timeout = policy::Millis(500);
  hello->know({governed});
  const auto reply = call(*hello, get());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.status, 504);
  EXPECT_EQ(reply->head.headers.get("x-weft-error"), "upstream-timeout");
}

TEST_F(MeshTest, UsesOneUpstreamConnectionForRequestsOneAfterTheOther) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->serve(app_port, says("world"));
  hello->know({service({world->endpoint(app_port)})});
  for (int i = 0; i < 5; ++i) {
    const auto reply = call(*hello, get());
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->body, "world");
  }
  EXPECT_EQ(world->telemetry.opened, 1);
}

TEST_F(MeshTest, CarriesLargeBodiesBothWays) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const std::string large(7'000'000, 'x');
  world->serve(app_port, [&](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
    respond(http::SimpleReply{200, request.body + request.body, "text/plain", {}});
  });
  hello->know({service({world->endpoint(app_port)})});
  http::FetchRequest request = get();
  request.head.method = "POST";
  request.body = large;
  request.reply_bytes_max = 32u << 20;
  const auto reply = call(*hello, std::move(request));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body.size(), 2 * large.size());
}

TEST_F(MeshTest, RefusesAnUnknownAddressInsideTheMeshRangesWhenDiscoveryDoesNotAnswer) {
  auto hello = pod("198.18.0.1", "hello");
  const auto reply = call(*hello, get(), "198.18.77.77:80");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.headers.get("x-weft-error"), "no-config");
  EXPECT_EQ(hello->asked, (std::vector<Address>{Address::parse("198.18.77.77:80").value()}));
}

TEST_F(MeshTest, SaysWhichAddressesAreInUseAndGoesOnWithOneThatIsTakenAwayMeanwhile) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->serve(app_port, says("world"));
  const policy::Service known = service({world->endpoint(app_port)});
  const std::string address = known.addresses[0].to_string();
  hello->know({known});
  EXPECT_TRUE(call(*hello, get()));
  EXPECT_EQ(hello->used_addresses(), std::set<std::string>{address}) << "a short connection counts";
  network_.advance(1s);
  EXPECT_TRUE(hello->used_addresses().empty());
  StreamRecorder client;
  const auto ask = [&] {
    client.data.clear();
    client.stream->write("GET / HTTP/1.1\r\nhost: world\r\n\r\n");
    return network_.run_until([&] { return client.data.ends_with("world"); }, 5s);
  };
  const auto connecting = hello->connect(known.addresses[0], [&](Result<std::unique_ptr<io::Stream>> stream) {
    client.take(*std::move(stream));
  });
  ASSERT_TRUE(network_.run_until([&] { return client.stream != nullptr; }));
  ASSERT_TRUE(ask());
  hello->used_addresses();
  EXPECT_EQ(hello->used_addresses(), std::set<std::string>{address}) << "so does one that lasts";
  hello->asked.clear();
  hello->forget(known.addresses[0]);
  EXPECT_TRUE(ask()) << client.data;
  EXPECT_EQ(hello->asked, known.addresses);
}

TEST_F(MeshTest, HandsACallToTheOwnPodOverWithinTheProcessUnderTheOwnPolicy) {
  auto hello = pod("198.18.0.1", "hello");
  std::string client_cert;
  hello->serve(app_port, [&](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
    client_cert = request.head.headers.get("x-forwarded-client-cert").value_or("");
    respond(http::SimpleReply{200, "self", "text/plain", {}});
  });
  hello->know({service({hello->endpoint(app_port)})});
  const auto reply = call(*hello, get());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "self");
  EXPECT_TRUE(client_cert.ends_with(";URI=" + hello->identity())) << client_cert;
}

TEST_F(MeshTest, CarriesAServerThatSpeaksFirstOnAnUndeclaredPort) {
  auto hello = pod("198.18.0.1", "hello");
  auto mysql = pod("198.18.0.2", "mysql");
  std::unique_ptr<StreamRecorder> server;
  const auto listener = mysql->loop()
                            .listen(Address{mysql->ip(), app_port}, {},
                                    [&](std::unique_ptr<io::Stream> stream) {
                                      server = std::make_unique<StreamRecorder>(std::move(stream));
                                      server->stream->write("greetings");
                                    })
                            .value();
  policy::Service undeclared = service({mysql->endpoint(app_port)});
  undeclared.protocol = policy::Protocol::detect;
  hello->know({undeclared});
  StreamRecorder client;
  const MonotonicTime begun = network_.now();
  const auto connecting =
      hello->connect(undeclared.addresses[0],
                     [&](Result<std::unique_ptr<io::Stream>> stream) { client.take(*std::move(stream)); });
  ASSERT_TRUE(network_.run_until([&] { return client.data == "greetings"; }));
  EXPECT_LT(network_.now() - begun, 150ms);
  client.stream->write("hello yourself");
  client.stream->end();
  ASSERT_TRUE(network_.run_until([&] { return server->ends == 1; }));
  EXPECT_EQ(server->data, "hello yourself");
  server->stream->write("bye");
  server->stream->end();
  ASSERT_TRUE(network_.run_until([&] { return client.ends == 1; }));
  EXPECT_EQ(client.data, "greetingsbye");
}

TEST_F(MeshTest, EndsOpaqueTcpWhenARootIsRemovedOrThePolicyChanges) {
  auto hello = pod("198.18.0.1", "hello");
  auto echo = pod("198.18.0.2", "echo");
  std::vector<std::unique_ptr<StreamRecorder>> served;
  const auto listener = echo->loop()
                            .listen(Address{echo->ip(), app_port}, {},
                                    [&](std::unique_ptr<io::Stream> stream) {
                                      served.push_back(std::make_unique<StreamRecorder>(std::move(stream)));
                                    })
                            .value();
  policy::Service opaque = service({echo->endpoint(app_port)});
  opaque.protocol = policy::Protocol::tcp;
  hello->know({opaque});
  for (const bool by_policy : {false, true}) {
    StreamRecorder client;
    const auto connecting =
        hello->connect(opaque.addresses[0], [&](Result<std::unique_ptr<io::Stream>> stream) {
          client.take(*std::move(stream));
          client.stream->write("hello");
        });
    ASSERT_TRUE(network_.run_until([&] { return !served.empty() && served.back()->data == "hello"; }));
    if (by_policy) {
      policy::InboundPolicy denied = echo->inbound_policy();
      denied.default_policy = policy::DefaultPolicy::deny;
      echo->set_inbound(denied);
    } else {
      echo->tell_root_removed();
    }
    EXPECT_TRUE(network_.run_until([&] { return client.over(); }));
    EXPECT_EQ(client.failures, 1);
    served.clear();
  }
}

TEST_F(MeshTest, ClosesOpaqueTcpWhereAnHttpRuleGovernsThePort) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->serve(app_port, says("never"));
  policy::InboundPolicy policy = world->inbound_policy();
  policy::RbacRule rule;
  rule.name = "service default/world allow #1";
  rule.methods = {"GET"};
  policy.ports[0].rules = {rule};
  world->set_inbound(policy);
  policy::Service opaque = service({world->endpoint(app_port)});
  opaque.protocol = policy::Protocol::tcp;
  hello->know({opaque});
  const auto reply = call(*hello, get());
  EXPECT_FALSE(reply);
  EXPECT_EQ(world->telemetry.refused["http-rule-on-opaque"], 1);
}

// From one seed: pieces, delays, stalls, resets. Every request ends exactly once (connection_over asserts
// that no connection ends twice), and nothing is left open.
class RoughMeshTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RoughMeshTest, EveryRequestEndsExactlyOnceAndNothingLeaks) {
  sim::SimNetwork network(GetParam(), sim::NetworkOptions::rough());
  redirect_like_iptables(network);
  policy::EndpointRegistry endpoints;
  const TestRoot root(noon());
  SimPod hello(network, endpoints, root, "198.18.0.1", "hello");
  SimPod first(network, endpoints, root, "198.18.0.2", "world");
  SimPod second(network, endpoints, root, "198.18.0.3", "world");
  for (SimPod* pod : {&hello, &first, &second}) pod->set_inbound(pod->inbound_policy());
  for (SimPod* pod : {&first, &second}) {
    pod->serve(app_port, [](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
      respond(http::SimpleReply{200, request.body + request.head.target, "text/plain", {}});
    });
  }
  policy::Service service;
  service.name = "default/world:80";
  service.addresses = {Address::parse("198.18.128.1:80").value()};
  service.endpoints = {first.endpoint(app_port), second.endpoint(app_port)};
  service.timeout = policy::Millis(30000);
  service.retry.attempts = 2;
  hello.know({service});
  constexpr int requests = 30;
  int ended = 0, wrong = 0;
  std::vector<std::unique_ptr<http::Fetch>> in_flight;
  for (int i = 0; i < requests; ++i) {
    http::FetchRequest request;
    request.head.method = i % 3 == 0 ? "POST" : "GET";
    request.head.target = str_cat("/", i);
    request.head.authority = "world";
    request.timeout = std::chrono::seconds(60);
    if (i % 3 == 0)
      request.body = std::string(static_cast<std::size_t>(network.random().below(200'000)), 'x');
    const std::string expected = request.body + request.head.target;
    in_flight.push_back(
        hello.fetch(service.addresses[0], std::move(request), [&, expected](Result<http::FetchReply> reply) {
          ++ended;
          if (reply && reply->head.status == 200 && reply->body != expected) ++wrong;
        }));
    if (i % 5 == 0) network.advance(std::chrono::milliseconds(network.random().below(50)));
  }
  EXPECT_TRUE(network.run_until([&] { return ended == requests; })) << "seed " << network.seed();
  network.advance(10min);
  EXPECT_EQ(ended, requests) << "seed " << network.seed();
  EXPECT_EQ(wrong, 0) << "seed " << network.seed();
  EXPECT_EQ(hello.connections(), 0u) << "seed " << network.seed();
  EXPECT_EQ(first.connections() + second.connections(), 0u) << "seed " << network.seed();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RoughMeshTest, testing::Range<std::uint64_t>(1, 101));

}  // namespace
}  // namespace weft::test
