// HTTP/2 and gRPC through two sidecars, and between HTTP/1 and HTTP/2 where the two ends differ.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/sidecar/mesh_http2_fixture.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

TEST_F(MeshHttp2Test, CarriesACallWithItsTrailersAndNamesTheCaller) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const Http2Application application(*world, echo_grpc);
  hello->know({service({world->endpoint(app_port)})});
  const auto caller = client(*hello);
  SentRequest& sent = caller->send(grpc(), false);
  sent.exchange->send_body("message");
  sent.exchange->send_end({});
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.outcome, "finished");
  EXPECT_EQ(sent.body, "message");
  EXPECT_EQ(sent.trailers.get("grpc-status"), "0");
  const ServedRequest& served = *application.connections.front()->requests.front();
  EXPECT_EQ(served.head.version, codec::Version::http2);
  EXPECT_EQ(served.head.headers.get("te"), "trailers");
  EXPECT_TRUE(served.head.headers.get("x-forwarded-client-cert")->ends_with(";URI=" + hello->identity()));
  network_.advance(1s);
  ASSERT_EQ(hello->telemetry.requests.size(), 1u);
  EXPECT_EQ(hello->telemetry.requests[0].protocol, "HTTP/2");
  EXPECT_EQ(hello->telemetry.requests[0].grpc_status, "0");
  EXPECT_TRUE(hello->telemetry.requests[0].peers.mutual_tls);
  ASSERT_EQ(world->telemetry.requests.size(), 1u);
  EXPECT_EQ(world->telemetry.requests[0].peers.source_identity, hello->identity());
}

// A client that holds one connection for ever is what defeats balancing by connection.
TEST_F(MeshHttp2Test, OneConnectionOfTheClientSpreadsOverTheEndpointsRequestByRequest) {
  auto hello = pod("198.18.0.1", "hello");
  std::vector<std::unique_ptr<SimPod>> worlds;
  std::vector<std::unique_ptr<Http2Application>> applications;
  std::vector<policy::Endpoint> endpoints;
  for (const char* ip : {"198.18.0.2", "198.18.0.3", "198.18.0.4"}) {
    worlds.push_back(pod(ip, "world"));
    applications.push_back(std::make_unique<Http2Application>(*worlds.back(), echo_grpc));
    endpoints.push_back(worlds.back()->endpoint(app_port));
  }
  hello->know({service(endpoints)});
  const auto caller = client(*hello);
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 10; ++i) caller->send(grpc(), true);
    ASSERT_TRUE(network_.run_until([&] { return caller->connection->idle(); }));
  }
  for (const auto& sent : caller->requests) EXPECT_EQ(sent->outcome, "finished");
  for (const auto& application : applications) {
    EXPECT_GT(application->requests(), 60u);
    EXPECT_LE(application->connections.size(), 2u) << "many requests share a connection";
  }
}

TEST_F(MeshHttp2Test, ADeniedCallIsAnsweredInTheLanguageOfGrpc) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const Http2Application application(*world, echo_grpc);
  policy::InboundPolicy policy = world->inbound_policy();
  policy::RbacRule rule;
  rule.name = "service default/world deny #1";
  rule.action = policy::RbacAction::deny;
  rule.paths = {"/shop.Cart/*"};
  policy.ports[0].rules = {rule};
  world->set_inbound(policy);
  hello->know({service({world->endpoint(app_port)})});
  const auto caller = client(*hello);
  const SentRequest& denied = caller->send(grpc(), true);
  const SentRequest& allowed = caller->send(grpc("/shop.Stock/Get"), true);
  ASSERT_TRUE(over(denied) && over(allowed));
  EXPECT_EQ(denied.head.status, 200);
  EXPECT_TRUE(denied.no_body) << "trailers only";
  EXPECT_EQ(denied.head.headers.get("grpc-status"), "7");
  EXPECT_EQ(denied.head.headers.get("x-weft-error"), "rbac-denied");
  EXPECT_EQ(allowed.trailers.get("grpc-status"), "0") << "on the same connection";
}

TEST_F(MeshHttp2Test, ACallThatProvablyReachedNoApplicationIsTriedElsewhere) {
  auto hello = pod("198.18.0.1", "hello");
  auto without_application = pod("198.18.0.2", "world");
  auto staying = pod("198.18.0.3", "world");
  const Http2Application application(*staying, echo_grpc);
  hello->know({service({without_application->endpoint(app_port), staying->endpoint(app_port)})});
  const auto caller = client(*hello);
  for (int i = 0; i < 20; ++i) {
    const SentRequest& sent = caller->send(grpc(), true);
    ASSERT_TRUE(over(sent));
    EXPECT_EQ(sent.trailers.get("grpc-status"), "0") << sent.outcome << http::describe(sent.head.headers);
  }
}

TEST_F(MeshHttp2Test, AnHttp1CallerReachesAnApplicationThatIsDeclaredHttp2) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->set_inbound(speaking(*world, policy::Protocol::http2));
  const Http2Application application(*world,
                                     [](ServedRequest& request) { request.reply(200, "over HTTP/2"); });
  hello->know({service({world->endpoint(app_port)})});
  http::FetchRequest request = get("/x");
  request.head.headers.add("Cookie", "a=1");
  const auto reply = call(*hello, std::move(request));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.status, 200);
  EXPECT_EQ(reply->body, "over HTTP/2");
  EXPECT_EQ(application.requests(), 1u);
}

TEST_F(MeshHttp2Test, AnHttp2CallerReachesAnApplicationThatIsDeclaredHttp1) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  world->set_inbound(speaking(*world, policy::Protocol::http1));
  std::string seen;
  world->serve(app_port, [&](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
    seen = str_cat(request.head.method, " ", request.head.authority, " ",
                   request.head.headers.get("cookie").value_or(""), " ", request.body);
    respond(http::SimpleReply{200, "over HTTP/1", "text/plain", {}});
  });
  hello->know({service({world->endpoint(app_port)})});
  const auto caller = client(*hello);
  SentRequest& sent = caller->send(http::request("POST", "/", {{"cookie", "a=1"}, {"cookie", "b=2"}}), false);
  sent.exchange->send_body("body");
  sent.exchange->send_end({});
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.head.status, 200);
  EXPECT_EQ(sent.body, "over HTTP/1");
  EXPECT_EQ(seen, "POST h a=1; b=2 body");
}

TEST_F(MeshHttp2Test, PlaintextHttp2OnAStrictPortIsToldWhy) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const Http2Application application(*world, echo_grpc);
  policy::Endpoint plain = world->endpoint(app_port);
  plain.identity.clear();
  hello->know({service({plain})});
  const auto caller = client(*hello);
  const SentRequest& sent = caller->send(http::request("GET", "/"), true);
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.head.status, 403);
  EXPECT_EQ(application.requests(), 0u);
  EXPECT_EQ(world->telemetry.refused["mtls-required"], 1);
}

// An HTTP/2 server does not wait with its SETTINGS: that makes it no server that speaks first.
TEST_F(MeshHttp2Test, AClientThatIsSilentAtFirstOnAnUndeclaredPortIsCarriedAsHttp2) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const Http2Application application(*world, echo_grpc);
  policy::Service undeclared = service({world->endpoint(app_port)});
  undeclared.protocol = policy::Protocol::detect;
  hello->know({undeclared});
  for (std::size_t round = 1; round <= 2; ++round) {
    std::unique_ptr<io::Stream> stream;
    const auto connecting =
        hello->connect(undeclared.addresses[0], [&](auto connected) { stream = *std::move(connected); });
    network_.advance(3s);
    ASSERT_NE(stream, nullptr);
    Http2ClientSide caller(hello->loop());
    caller.take(std::move(stream));
    const SentRequest& sent = caller.send(grpc(), true);
    ASSERT_TRUE(over(sent));
    EXPECT_EQ(sent.trailers.get("grpc-status"), "0") << sent.outcome;
    EXPECT_EQ(hello->telemetry.requests.size(), round) << "it was seen as a request";
    EXPECT_EQ(world->telemetry.requests.size(), round);
  }
}

TEST_F(MeshHttp2Test, AStalledCallBlocksNoOther) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const Http2Application application(*world, [](ServedRequest& request) {
    if (request.head.target == "/slow") {
      request.on_body = [&request] { request.exchange->pause_body(); };
    } else {
      echo_grpc(request);
    }
  });
  hello->know({service({world->endpoint(app_port)})});
  const auto caller = client(*hello);
  SentRequest& slow = caller->send(grpc("/slow"), false);
  std::size_t taken = 0;
  slow.on_drained = [&] {
    while (slow.exchange->writable()) {
      slow.exchange->send_body(std::string(64 * 1024, 's'));
      taken += 64 * 1024;
    }
  };
  slow.on_drained();
  network_.advance(5s);
  // Three hops, each with at most a window and a queue.
  EXPECT_LE(taken, 3 * (limits::http2_stream_window_bytes + 2 * limits::write_high_bytes));
  for (int i = 0; i < 20; ++i) {
    const SentRequest& quick = caller->send(grpc(), true);
    ASSERT_TRUE(over(quick));
    EXPECT_EQ(quick.outcome, "finished");
  }
  slow.on_drained = nullptr;
  slow.exchange->cancel();
  network_.advance(1s);
}

// hello calls world, whose application has the request and says nothing yet.
class MeshHttp2HeldCall : public MeshHttp2Test {
 protected:
  void SetUp() override {
    hello_->know({service({world_->endpoint(app_port)})});
    caller_ = client(*hello_);
    sent_ = &caller_->send(grpc(), true);
    ASSERT_TRUE(network_.run_until([&] { return waiting_.size() == 1; }));
  }

  std::unique_ptr<SimPod> hello_ = pod("198.18.0.1", "hello");
  std::unique_ptr<SimPod> world_ = pod("198.18.0.2", "world");
  std::vector<ServedRequest*> waiting_;
  Http2Application application_{*world_, [this](ServedRequest& request) { waiting_.push_back(&request); }};
  std::unique_ptr<Http2ClientSide> caller_;
  const SentRequest* sent_ = nullptr;
};

TEST_F(MeshHttp2HeldCall, AQuietCallIsKeptAndOneWhosePeerIsGoneIsGivenUp) {
  network_.advance(2min);
  EXPECT_EQ(sent_->outcome, "") << "pings are answered";
  const MonotonicTime gone = hello_->loop().now();
  network_.set_down(world_->ip(), true);
  ASSERT_TRUE(over(*sent_));
  EXPECT_LE(hello_->loop().now() - gone,
            limits::http2_keepalive_interval + limits::http2_keepalive_timeout + 1s);
  EXPECT_EQ(sent_->head.headers.get("grpc-status"), "14");
  network_.set_down(world_->ip(), false);
}

TEST_F(MeshHttp2HeldCall, AnApplicationThatIsBusyForMinutesIsWaitedFor) {
  application_.connections.front()->connection->stream().pause();
  network_.advance(4min);
  ASSERT_EQ(sent_->outcome, "");
  application_.connections.front()->connection->stream().resume();
  answer_grpc(*waiting_.front());
  ASSERT_TRUE(over(*sent_));
  EXPECT_EQ(sent_->trailers.get("grpc-status"), "0");
}

TEST_F(MeshHttp2HeldCall, ACallersSidecarThatFallsSilentIsGivenUpAndSaidToBe) {
  // The caller's sidecar heard something since it spoke: it is not the first to give up.
  network_.advance(5s);
  waiting_.front()->exchange->send_head(http::response(200), false);
  network_.advance(1s);
  network_.set_down(hello_->ip(), true);
  network_.advance(limits::http2_keepalive_interval + limits::http2_keepalive_timeout - 5s);
  EXPECT_NE(waiting_.front()->outcome, "");
  EXPECT_EQ(world_->telemetry.ended, (std::map<std::string, int>{{"peer-silent", 1}}));
  network_.set_down(hello_->ip(), false);
}

TEST_F(MeshHttp2HeldCall, ADrainingPodTellsItsCallersAndFinishesWhatIsUnderWay) {
  world_->drain();
  network_.advance(1s);
  EXPECT_EQ(sent_->outcome, "");
  answer_grpc(*waiting_.front());
  ASSERT_TRUE(over(*sent_));
  EXPECT_EQ(sent_->outcome, "finished");
  EXPECT_TRUE(network_.run_until([&] { return world_->connections() == 0; }));
  EXPECT_TRUE(caller_->connection->available()) << "the application's own connection stays";
}

}  // namespace
}  // namespace weft::test
