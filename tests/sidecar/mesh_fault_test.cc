// Faults injected at the caller's side (weft.mesh/fault), and what a caller learns of the tries that were
// made (weft.mesh/attempts-header).
#include "base/limits.h"
#include "base/text.h"
#include "tests/sidecar/mesh_fixture.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class MeshFaultTest : public MeshTest {
 protected:
  MeshFaultTest() {
    world->serve(app_port, [this](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
      ++served;
      seen = request;
      respond(http::SimpleReply{answer, std::to_string(request.body.size()), "text/plain", {}});
    });
  }
  policy::Service with(policy::FaultInjection fault) {
    policy::Service made = service({world->endpoint(app_port)});
    made.fault = fault;
    return made;
  }
  const sidecar::RequestRecord& record() {
    network_.advance(1s);
    EXPECT_EQ(hello->telemetry.requests.size(), 1u);
    return hello->telemetry.requests.back();
  }

  std::unique_ptr<SimPod> hello = pod("198.18.0.1", "hello");
  std::unique_ptr<SimPod> world = pod("198.18.0.2", "world");
  int served = 0;
  int answer = 200;
  http::SimpleRequest seen;
};

TEST_F(MeshFaultTest, AnAbortIsAnsweredByTheCallersSidecarAndReachesNobody) {
  hello->know({with({0s, 0, 418, 100})});
  const auto reply = call(*hello, get());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.status, 418);
  EXPECT_EQ(reply->head.headers.get("x-weft-error"), "fault-injected");
  EXPECT_EQ(served, 0);
  EXPECT_EQ(world->telemetry.opened, 0);
  EXPECT_EQ(record().reason, "fault-injected");
  EXPECT_TRUE(record().tries.empty());
  EXPECT_EQ(record().injected_delay, 0s);
}

TEST_F(MeshFaultTest, AnAbortIsNotTriedAgainAndBlamesNoEndpoint) {
  policy::Service made = with({0s, 0, 503, 100});
  made.retry.attempts = 5;
  hello->know({made});
  for (int i = 0; i < 20; ++i) {
    const auto reply = call(*hello, get());
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->head.status, 503);
  }
  EXPECT_EQ(served, 0);
  EXPECT_EQ(hello->telemetry.ejections, 0);
}

TEST_F(MeshFaultTest, ADelayHoldsTheRequestBackBeforeAnEndpointIsChosen) {
  hello->know({with({2s, 100, 0, 0})});
  const MonotonicTime begin = hello->loop().now();
  http::FetchRequest request = get();
  request.head.method = "POST";
  request.body = std::string(5 * limits::retry_buffer_bytes_max, 'x');
  std::optional<Result<http::FetchReply>> outcome;
  const auto in_flight = hello->fetch(Address::parse("198.18.128.1:80").value(), std::move(request),
                                      [&](Result<http::FetchReply> reply) { outcome = std::move(reply); });
  network_.advance(1900ms);
  EXPECT_EQ(world->telemetry.opened, 0);
  ASSERT_TRUE(network_.run_until([&] { return outcome.has_value(); }));
  ASSERT_TRUE(*outcome) << outcome->error().message;
  EXPECT_EQ((*outcome)->body, std::to_string(5 * limits::retry_buffer_bytes_max))
      << "all of the body arrived";
  EXPECT_GE(hello->loop().now() - begin, 2s);
  EXPECT_LT(hello->loop().now() - begin, 3s);
  EXPECT_EQ(record().injected_delay, 2s);
  EXPECT_EQ(record().reason, "");
  EXPECT_EQ(record().status, 200);
}

TEST_F(MeshFaultTest, ADelayCountsWithinTheTimeout) {
  policy::Service made = with({5s, 100, 503, 100});
  made.timeout = policy::Millis(1000);
  hello->know({made});
  const MonotonicTime begin = hello->loop().now();
  const auto reply = call(*hello, get());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.status, 504);
  EXPECT_EQ(reply->head.headers.get("x-weft-error"), "upstream-timeout");
  EXPECT_LT(hello->loop().now() - begin, 2s);
  network_.advance(10s);
  EXPECT_EQ(served, 0) << "nor later";
}

TEST_F(MeshFaultTest, ADelayAndAnAbortMayMeetTheSameRequest) {
  hello->know({with({2s, 100, 503, 100})});
  const MonotonicTime begin = hello->loop().now();
  const auto reply = call(*hello, get());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.status, 503);
  EXPECT_GE(hello->loop().now() - begin, 2s);
  EXPECT_EQ(served, 0);
}

TEST_F(MeshFaultTest, ACallerThatGoesAwayDuringADelayLeavesNothingBehind) {
  hello->know({with({2s, 100, 0, 0})});
  const auto client = connected(*hello, "GET / HTTP/1.1\r\nhost: world\r\n\r\n");
  network_.advance(1s);
  client->stream->reset();
  client->stream.reset();
  network_.advance(10s);
  EXPECT_EQ(served, 0);
  EXPECT_EQ(hello->connections(), 0u);
  EXPECT_EQ(record().reason, "downstream-closed");
}

TEST_F(MeshFaultTest, TunnelsAndOpaqueTcpAreLeftAlone) {
  world->stop_serving(app_port);
  const auto app = serve_raw(*world);
  hello->know({with({5s, 100, 503, 100})});
  const auto upgrading = connected(
      *hello, "GET /chat HTTP/1.1\r\nhost: world\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  EXPECT_TRUE(network_.run_until([&] { return app->got("\r\n\r\n"); }, 1s));
  policy::Service opaque = with({5s, 100, 503, 100});
  opaque.protocol = policy::Protocol::tcp;
  hello->know({opaque});
  const auto tcp = connected(*hello, "no HTTP");
  EXPECT_TRUE(network_.run_until([&] { return app->got("no HTTP"); }, 1s));
}

TEST_F(MeshFaultTest, AChangeHoldsForTheNextRequest) {
  hello->know({with({0s, 0, 503, 100})});
  EXPECT_EQ(call(*hello, get())->head.status, 503);
  hello->know({with({})});
  EXPECT_EQ(call(*hello, get())->head.status, 200);
}

// ---- x-weft-attempts ----

TEST_F(MeshFaultTest, TheNumberOfTriesIsToldWhereTheServiceSaysSo) {
  policy::Service made = service({world->endpoint(app_port)});
  made.attempts_header = true;
  made.retry.attempts = 2;
  hello->know({made});
  EXPECT_EQ(call(*hello, get())->head.headers.get("x-weft-attempts"), "1");
  answer = 503;
  const auto failed = call(*hello, get());
  EXPECT_EQ(failed->head.status, 503);
  EXPECT_EQ(failed->head.headers.get("x-weft-attempts"), "3");
  made.fault = {0s, 0, 503, 100};
  hello->know({made});
  EXPECT_EQ(call(*hello, get())->head.headers.get("x-weft-attempts"), "0") << "in weft's own reply as well";
}

TEST_F(MeshFaultTest, TheOwnApplicationMayAskForTheNumberOfTriesAndNobodyElseSeesThat) {
  hello->know({service({world->endpoint(app_port)})});
  EXPECT_FALSE(call(*hello, get())->head.headers.has("x-weft-attempts")) << "not without being asked";
  http::FetchRequest request = get();
  request.head.headers.add("X-Weft-Attempts", "1");
  EXPECT_EQ(call(*hello, std::move(request))->head.headers.get("x-weft-attempts"), "1");
  EXPECT_FALSE(seen.head.headers.has("x-weft-attempts"));
}

TEST_F(MeshFaultTest, ACallerFromOutsideAsksInVain) {
  auto outside = pod("198.18.0.3", "outside");
  world->set_inbound(world->inbound_policy(policy::MtlsMode::permissive));
  std::optional<Result<http::FetchReply>> outcome;
  http::FetchRequest request = get();
  request.head.headers.add("x-weft-attempts", "1");
  const auto in_flight = http::fetch(
      outside->loop(),
      [&](auto done) {
        return outside->loop().connect(Address{world->ip(), app_port}, {}, std::move(done));
      },
      std::move(request), [&](Result<http::FetchReply> reply) { outcome = std::move(reply); });
  ASSERT_TRUE(network_.run_until([&] { return outcome.has_value(); }));
  ASSERT_TRUE(*outcome) << outcome->error().message;
  EXPECT_EQ((*outcome)->head.status, 200);
  EXPECT_FALSE((*outcome)->head.headers.has("x-weft-attempts"));
  EXPECT_FALSE(seen.head.headers.has("x-weft-attempts"));
}

}  // namespace
}  // namespace weft::test
