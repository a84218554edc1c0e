// gRPC through two sidecars: faults, retries and mirrors of calls, and the deadlines of callers.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/sidecar/mesh_http2_fixture.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

TEST_F(MeshHttp2Test, AnInjectedFaultIsAnsweredInTheLanguageOfGrpc) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const Http2Application application(*world, echo_grpc);
  policy::Service made = service({world->endpoint(app_port)});
  made.fault = {0s, 0, 503, 100};
  made.attempts_header = true;
  hello->know({made});
  const auto caller = client(*hello);
  const SentRequest& sent = caller->send(grpc(), true);
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.head.status, 200);
  EXPECT_TRUE(sent.no_body) << "trailers only";
  EXPECT_EQ(sent.head.headers.get("grpc-status"), "14");
  EXPECT_EQ(sent.head.headers.get("x-weft-error"), "fault-injected");
  EXPECT_EQ(sent.head.headers.get("x-weft-attempts"), "0");
  EXPECT_EQ(application.requests(), 0u);
}

// An application that refuses at once answers with trailers only; one that fails later has said something.
TEST_F(MeshHttp2Test, AnUnavailableAnswerIsTriedAgainWhereItIsNamedAndWhole) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  int calls = 0;
  const Http2Application application(*world, [&calls](ServedRequest& request) {
    const bool first = ++calls == 1;
    codec::ResponseHead head = http::response(200, {{"content-type", "application/grpc"}});
    codec::Headers status;
    status.add("grpc-status", first ? "14" : "0");
    if (first && request.head.target == "/at.once/Fail") {
      head.headers.add("grpc-status", "14");
      return request.exchange->send_head(head, true);
    }
    request.exchange->send_head(head, false);
    request.exchange->send_body("message");
    request.exchange->send_end(status);
  });
  policy::Service made = service({world->endpoint(app_port)});
  made.retry.attempts = 2;
  made.retry.retry_on = policy::retry_grpc_unavailable;
  hello->know({made});
  const auto caller = client(*hello);
  const SentRequest& whole = caller->send(grpc("/at.once/Fail"), true);
  ASSERT_TRUE(over(whole));
  EXPECT_EQ(whole.trailers.get("grpc-status"), "0");
  EXPECT_EQ(whole.body, "message");
  EXPECT_EQ(calls, 2);
  network_.advance(1s);
  ASSERT_EQ(hello->telemetry.requests.back().tries.size(), 2u);
  EXPECT_EQ(hello->telemetry.requests.back().tries.front().retry_class, "opted-in");

  calls = 0;
  const SentRequest& later = caller->send(grpc("/later/Fail"), true);
  ASSERT_TRUE(over(later));
  EXPECT_EQ(later.trailers.get("grpc-status"), "14");
  EXPECT_EQ(calls, 1);

  calls = 0;
  made.retry.retry_on = policy::retry_grpc_internal | policy::retry_5xx;
  hello->know({made});
  const SentRequest& unnamed = caller->send(grpc("/at.once/Fail"), true);
  ASSERT_TRUE(over(unnamed));
  EXPECT_EQ(unnamed.head.headers.get("grpc-status"), "14");
  EXPECT_EQ(calls, 1);
}

TEST_F(MeshHttp2Test, ACallIsCopiedWithItsMessageToTheMirror) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  auto next = pod("198.18.0.3", "world");
  const Http2Application application(*world, echo_grpc);
  const Http2Application copied_to(*next, echo_grpc);
  policy::Endpoint endpoint = next->endpoint(app_port);
  endpoint.subset = "v2";
  policy::Service made = service({world->endpoint(app_port), endpoint});
  made.routes = {{{{policy::RouteCondition::Kind::method, "", "POST"}}, ""}};
  made.mirror = {"v2", 100};
  hello->know({made});
  const auto caller = client(*hello);
  SentRequest& sent = caller->send(grpc(), false);
  sent.exchange->send_body("message");
  sent.exchange->send_end({});
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.trailers.get("grpc-status"), "0");
  network_.advance(1s);
  ASSERT_EQ(copied_to.requests(), 1u);
  const ServedRequest& copy = *copied_to.connections.front()->requests.front();
  EXPECT_EQ(copy.head.version, codec::Version::http2);
  EXPECT_EQ(copy.head.authority, "world-shadow");
  EXPECT_EQ(copy.body, "message");
  EXPECT_EQ(application.requests(), 1u);
  EXPECT_EQ(hello->telemetry.mirrored["answered"], 1);
}

// ---- grpc-timeout ----

TEST_F(MeshHttp2Test, ACallersDeadlineEndsTheCallInTheLanguageOfGrpc) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const Http2Application application(*world, [](ServedRequest&) {});
  hello->know({service({world->endpoint(app_port)})});
  const auto caller = client(*hello);
  codec::RequestHead head = grpc();
  head.headers.add("grpc-timeout", "2S");
  const MonotonicTime began = hello->loop().now();
  const SentRequest& sent = caller->send(head, true);
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.outcome, "finished");
  EXPECT_GE(hello->loop().now() - began, 2s);
  EXPECT_LT(hello->loop().now() - began, 2100ms);
  EXPECT_TRUE(sent.no_body) << "trailers only";
  EXPECT_EQ(sent.head.status, 200);
  EXPECT_EQ(sent.head.headers.get("content-type"), "application/grpc");
  EXPECT_EQ(sent.head.headers.get("grpc-status"), "4");
  EXPECT_EQ(sent.head.headers.get("x-weft-error"), "caller-deadline");
  const ServedRequest& served = *application.connections.front()->requests.front();
  const auto told = codec::parse_grpc_timeout(served.head.headers.get("grpc-timeout").value_or(""));
  ASSERT_TRUE(told);
  EXPECT_LT(*told, 2s) << "what is left of it";
  EXPECT_GT(*told, 1s);
  ASSERT_TRUE(network_.run_until([&] { return !served.outcome.empty(); }));
  EXPECT_NE(served.outcome, "finished") << "the application is told to stop";
  EXPECT_EQ(hello->telemetry.requests[0].reason, "caller-deadline");
}

// The longest that a caller can name, and that some libraries make of "no deadline".
TEST_F(MeshHttp2Test, ADeadlineThatIsLongerThanClocksCountIsNone) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const Http2Application application(*world, echo_grpc);
  hello->know({service({world->endpoint(app_port)})});
  const auto caller = client(*hello);
  codec::RequestHead head = grpc();
  head.headers.add("grpc-timeout", "99999999H");
  const SentRequest& sent = caller->send(head, false);
  network_.advance(10s);
  EXPECT_EQ(sent.outcome, "");
  sent.exchange->send_end({});
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.trailers.get("grpc-status"), "0");
}

TEST_F(MeshHttp2Test, TheServicesTimeoutEndsACallThatMayTakeLonger) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const Http2Application application(*world, [](ServedRequest&) {});
  policy::Service limited = service({world->endpoint(app_port)});
  limited.timeout = 1s;
  hello->know({limited});
  const auto caller = client(*hello);
  codec::RequestHead head = grpc();
  head.headers.add("grpc-timeout", "1M");
  const SentRequest& sent = caller->send(head, true);
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.head.headers.get("grpc-status"), "4");
  EXPECT_EQ(sent.head.headers.get("x-weft-error"), "upstream-timeout");
  const ServedRequest& served = *application.connections.front()->requests.front();
  EXPECT_LE(*codec::parse_grpc_timeout(*served.head.headers.get("grpc-timeout")), 1s);
}

TEST_F(MeshHttp2Test, ACallThatHasBegunToAnswerEndsWithTheStatusBehindItsMessages) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  const Http2Application application(*world, [](ServedRequest& request) {
    request.exchange->send_head(http::response(200, {{"content-type", "application/grpc"}}), false);
    request.exchange->send_body("first");
  });
  hello->know({service({world->endpoint(app_port)})});
  const auto caller = client(*hello);
  codec::RequestHead head = grpc();
  head.headers.add("grpc-timeout", "2S");
  SentRequest& sent = caller->send(head, false);
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.outcome, "finished");
  EXPECT_EQ(sent.body, "first");
  EXPECT_EQ(sent.trailers.get("grpc-status"), "4");
  EXPECT_EQ(sent.trailers.get("x-weft-error"), "caller-deadline");
  EXPECT_TRUE(caller->connection->available()) << "the connection goes on";
}

}  // namespace
}  // namespace weft::test
