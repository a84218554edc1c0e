// HTTP/2 and gRPC through two sidecars, and between HTTP/1 and HTTP/2 where the two ends differ.
#include <map>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/text.h"
#include "codec/grpc_frame.h"
#include "tests/lib/http/http2_fixture.h"
#include "tests/sidecar/mesh_fixture.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using http::Http2ClientSide;
using http::Http2ServerSide;
using http::SentRequest;
using http::ServedRequest;

// An application that speaks HTTP/2 with prior knowledge.
struct Http2Application {
  Http2Application(SimPod& pod, const std::function<void(ServedRequest&)>& handle) {
    listener = *pod.loop().listen({pod.ip(), app_port}, {},
                                  [this, &pod, handle](std::unique_ptr<io::Stream> stream) {
                                    connections.push_back(std::make_unique<Http2ServerSide>(pod.loop()));
                                    connections.back()->on_request = handle;
                                    connections.back()->take(std::move(stream));
                                  });
  }
  std::size_t requests() const {
    std::size_t count = 0;
    for (const auto& connection : connections) count += connection->requests.size();
    return count;
  }
  std::unique_ptr<io::Listener> listener;
  std::vector<std::unique_ptr<Http2ServerSide>> connections;
};

class MeshHttp2Test : public MeshTest {
 protected:
  std::unique_ptr<Http2ClientSide> client(SimPod& from, const char* to = "198.18.128.1:80") {
    auto made = std::make_unique<Http2ClientSide>(from.loop());
    connecting_.push_back(from.connect(Address::parse(to).value(), [client = made.get()](auto stream) {
      ASSERT_TRUE(stream) << stream.error().message;
      client->take(*std::move(stream));
    }));
    EXPECT_TRUE(network_.run_until([&] { return made->connection != nullptr; }));
    return made;
  }
  static codec::RequestHead grpc(const char* path = "/shop.Cart/Add") {
    codec::RequestHead head =
        http::request("POST", path, {{"content-type", "application/grpc"}, {"te", "trailers"}});
    head.authority = "world";
    return head;
  }
  static void answer_grpc(ServedRequest& request) {
    codec::Headers trailers;
    trailers.add("grpc-status", "0");
    request.exchange->send_head(http::response(200, {{"content-type", "application/grpc"}}), false);
    request.exchange->send_body(request.body);
    request.exchange->send_end(trailers);
  }
  static void echo_grpc(ServedRequest& request) {
    if (request.no_body) return answer_grpc(request);
    request.on_end = [&request] { answer_grpc(request); };
  }
  bool over(const SentRequest& request) {
    return network_.run_until([&] { return !request.outcome.empty(); });
  }
  static policy::InboundPolicy speaking(const SimPod& pod, policy::Protocol protocol) {
    policy::InboundPolicy policy = pod.inbound_policy();
    for (policy::InboundPort& port : policy.ports) port.protocol = protocol;
    return policy;
  }

  std::vector<std::unique_ptr<io::Connecting>> connecting_;
};

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

TEST_F(MeshHttp2Test, AQuietCallIsKeptAndOneWhosePeerIsGoneIsGivenUp) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  std::vector<ServedRequest*> waiting;
  const Http2Application application(*world, [&](ServedRequest& request) { waiting.push_back(&request); });
  hello->know({service({world->endpoint(app_port)})});
  const auto caller = client(*hello);
  const SentRequest& sent = caller->send(grpc(), true);
  ASSERT_TRUE(network_.run_until([&] { return waiting.size() == 1; }));
  network_.advance(2min);
  EXPECT_EQ(sent.outcome, "") << "pings are answered";
  const MonotonicTime gone = hello->loop().now();
  network_.set_down(world->ip(), true);
  ASSERT_TRUE(over(sent));
  EXPECT_LE(hello->loop().now() - gone,
            limits::http2_keepalive_interval + limits::http2_keepalive_timeout + 1s);
  EXPECT_EQ(sent.head.headers.get("grpc-status"), "14");
  network_.set_down(world->ip(), false);
}

TEST_F(MeshHttp2Test, ADrainingPodTellsItsCallersAndFinishesWhatIsUnderWay) {
  auto hello = pod("198.18.0.1", "hello");
  auto world = pod("198.18.0.2", "world");
  std::vector<ServedRequest*> waiting;
  const Http2Application application(*world, [&](ServedRequest& request) { waiting.push_back(&request); });
  hello->know({service({world->endpoint(app_port)})});
  const auto caller = client(*hello);
  const SentRequest& sent = caller->send(grpc(), true);
  ASSERT_TRUE(network_.run_until([&] { return waiting.size() == 1; }));
  world->drain();
  network_.advance(1s);
  EXPECT_EQ(sent.outcome, "");
  answer_grpc(*waiting.front());
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.outcome, "finished");
  EXPECT_TRUE(network_.run_until([&] { return world->connections() == 0; }));
  EXPECT_TRUE(caller->connection->available()) << "the application's own connection stays";
}

}  // namespace
}  // namespace weft::test
