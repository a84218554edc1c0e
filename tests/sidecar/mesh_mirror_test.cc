// Copies of requests (weft.mesh/mirror): who gets them, and that their callers never notice.
#include "base/limits.h"
#include "base/text.h"
#include "tests/sidecar/mesh_fixture.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class MeshMirrorTest : public MeshTest {
 protected:
  using Handle = http::SimpleServer::Handle;

  MeshMirrorTest() {
    serve(*v1, says("v1"));
    hello->know({mirrored()});
  }
  // All requests go to v1, and copies of all to v2.
  policy::Service mirrored() {
    policy::Endpoint stable = v1->endpoint(app_port);
    stable.subset = "v1";
    policy::Endpoint next = v2->endpoint(app_port);
    next.subset = "v2";
    policy::Service made = service({stable, next});
    made.canary = {{"v1", 1}};
    made.mirror = {"v2", 100};
    return made;
  }
  void serve(SimPod& pod, Handle handle) {
    pod.serve(app_port, [this, &pod, handle = std::move(handle)](const http::SimpleRequest& request,
                                                                 http::SimpleServer::Respond respond) {
      got[&pod].push_back(request);
      handle(request, std::move(respond));
    });
  }
  void serve_v2_without_an_answer() {
    serve(*v2, [this](const http::SimpleRequest&, http::SimpleServer::Respond respond) {
      held.push_back(std::move(respond));
    });
  }
  static http::FetchRequest post(std::size_t bytes) {
    http::FetchRequest request = get("/order?id=7");
    request.head.method = "POST";
    request.head.headers.add("X-User", "john");
    request.body = std::string(bytes, 'x');
    return request;
  }
  void expect_v1(http::FetchRequest request) {
    const auto reply = call(*hello, std::move(request));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->head.status, 200);
    EXPECT_EQ(reply->body, "v1");
  }
  int copies(const std::string& outcome) { return hello->telemetry.mirrored[outcome]; }

  std::unique_ptr<SimPod> hello = pod("198.18.0.1", "hello");
  std::unique_ptr<SimPod> v1 = pod("198.18.0.2", "world");
  std::unique_ptr<SimPod> v2 = pod("198.18.0.3", "world");
  std::map<const SimPod*, std::vector<http::SimpleRequest>> got;
  std::vector<http::SimpleServer::Respond> held;
};

TEST_F(MeshMirrorTest, TheCopyIsTheRequestAndTheCallerHearsOnlyTheRealAnswer) {
  serve(*v2, says("v2"));
  expect_v1(post(limits::retry_buffer_bytes_max));
  network_.advance(1s);
  ASSERT_EQ(got[v2.get()].size(), 1u);
  const http::SimpleRequest& copy = got[v2.get()].front();
  EXPECT_EQ(copy.head.method, "POST");
  EXPECT_EQ(copy.head.target, "/order?id=7");
  EXPECT_EQ(copy.head.authority, "world-shadow");
  EXPECT_EQ(copy.head.headers.get("x-user"), "john");
  EXPECT_TRUE(copy.head.headers.get("x-forwarded-client-cert")->ends_with(";URI=" + hello->identity()));
  EXPECT_EQ(copy.body, std::string(limits::retry_buffer_bytes_max, 'x'));
  EXPECT_EQ(got[v1.get()].size(), 1u);
  EXPECT_EQ(got[v1.get()].front().head.authority, "world");
  EXPECT_EQ(copies("answered"), 1);
  EXPECT_EQ(hello->telemetry.requests.size(), 1u) << "a copy is no request of the caller's";
}

TEST_F(MeshMirrorTest, ARequestWithoutABodyIsCopiedToo) {
  serve(*v2, says("v2"));
  expect_v1(get());
  network_.advance(1s);
  EXPECT_EQ(got[v2.get()].size(), 1u);
  EXPECT_EQ(copies("answered"), 1);
}

TEST_F(MeshMirrorTest, ASlowCopyHoldsNobodyUpAndIsGivenUp) {
  serve_v2_without_an_answer();
  const MonotonicTime begin = hello->loop().now();
  for (int i = 0; i < 10; ++i) expect_v1(get());
  EXPECT_LT(hello->loop().now() - begin, 1s);
  network_.advance(limits::shadow_timeout);
  EXPECT_EQ(copies("timeout"), 10);
}

TEST_F(MeshMirrorTest, TheServicesTimeoutHoldsForItsCopiesWhereItIsShorter) {
  serve_v2_without_an_answer();
  policy::Service made = mirrored();
  made.timeout = policy::Millis(2000);
  hello->know({made});
  expect_v1(get());
  network_.advance(3s);
  EXPECT_EQ(copies("timeout"), 1);
}

TEST_F(MeshMirrorTest, AFailingCopyIsNotTriedAgainAndBlamesNoEndpoint) {
  serve(*v2, [](const http::SimpleRequest&, http::SimpleServer::Respond respond) {
    respond(http::SimpleReply{503, "no", "text/plain", {}});
  });
  policy::Service made = mirrored();
  made.retry.attempts = 5;
  made.retry.retry_on = policy::retry_5xx;
  hello->know({made});
  for (int i = 0; i < 20; ++i) expect_v1(get());
  network_.advance(1s);
  EXPECT_EQ(copies("answered"), 20);
  EXPECT_EQ(got[v2.get()].size(), 20u);
  network_.set_down(v2->ip(), true);
  for (int i = 0; i < 20; ++i) expect_v1(get());
  network_.advance(20s);
  EXPECT_EQ(copies("answered") + copies("failed") + copies("timeout"), 40);
  EXPECT_GT(copies("failed") + copies("timeout"), 0);
  EXPECT_EQ(hello->telemetry.ejections, 0);
  const auto load = hello->context().config->service("default/world:80")->load;
  EXPECT_EQ(load->budget.retries(), 0u);
}

TEST_F(MeshMirrorTest, ALargeBodyIsNotCopiedAndArrivesWhole) {
  serve(*v2, says("v2"));
  expect_v1(post(limits::retry_buffer_bytes_max + 1));
  network_.advance(1s);
  EXPECT_EQ(got[v1.get()].front().body.size(), limits::retry_buffer_bytes_max + 1);
  EXPECT_TRUE(got[v2.get()].empty());
  EXPECT_EQ(copies("too-large"), 1);
}

TEST_F(MeshMirrorTest, CopiesUnderWayAreBounded) {
  serve_v2_without_an_answer();
  for (std::size_t i = 0; i < limits::shadows_max + 10; ++i) expect_v1(get());
  EXPECT_EQ(copies("no-room"), 10);
  EXPECT_EQ(held.size(), limits::shadows_max);
  network_.advance(limits::shadow_timeout);
  expect_v1(get());
  network_.advance(1s);
  EXPECT_EQ(copies("no-room"), 10) << "there is room again";
  EXPECT_EQ(held.size(), limits::shadows_max + 1);
}

TEST_F(MeshMirrorTest, WithoutAnEndpointInTheSubsetNothingIsCopied) {
  policy::Service made = mirrored();
  made.mirror.subset = "v3";
  hello->know({made});
  expect_v1(get());
  EXPECT_EQ(copies("no-endpoint"), 1);
}

TEST_F(MeshMirrorTest, WhatIsNeverWholeIsNeverCopied) {
  serve(*v2, says("v2"));
  const auto client = connected(*hello, "POST / HTTP/1.1\r\nhost: world\r\ncontent-length: 10\r\n\r\nhalf");
  network_.advance(1s);
  client->stream->reset();
  client->stream.reset();
  network_.advance(1s);
  EXPECT_TRUE(got[v2.get()].empty());
  EXPECT_TRUE(hello->telemetry.mirrored.empty());
}

TEST_F(MeshMirrorTest, TunnelsAreNotCopied) {
  serve(*v2, says("v2"));
  v1->stop_serving(app_port);
  const auto app = serve_raw(*v1);
  const auto client = connected(
      *hello, "GET /chat HTTP/1.1\r\nhost: world\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  EXPECT_TRUE(network_.run_until([&] { return app->got("\r\n\r\n"); }, 5s));
  network_.advance(1s);
  EXPECT_TRUE(got[v2.get()].empty());
}

TEST_F(MeshMirrorTest, WhoeverCallsAPodByItsAddressMeansThatPod) {
  serve(*v2, says("v2"));
  policy::AddressOwner owner;
  owner.address = Address{v1->ip(), app_port};
  owner.kind = policy::AddressOwner::Kind::pod;
  owner.pod = v1->endpoint(app_port);
  owner.protocol = policy::Protocol::http1;
  owner.pod_service = "default/world:80";
  hello->know({mirrored()}, {owner});
  EXPECT_EQ(call(*hello, get(), "198.18.0.2:8080")->body, "v1");
  network_.advance(1s);
  EXPECT_TRUE(hello->telemetry.mirrored.empty());
}

TEST_F(MeshMirrorTest, ACopyToTheOwnPodAsksTheOwnPolicy) {
  serve(*v2, says("v2"));
  v2->know({mirrored()});
  const auto reply = call(*v2, get());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "v1");
  network_.advance(1s);
  ASSERT_EQ(got[v2.get()].size(), 1u);
  EXPECT_TRUE(got[v2.get()].front().head.headers.get("x-forwarded-client-cert")->ends_with(v2->identity()));
  policy::InboundPolicy closed = v2->inbound_policy();
  closed.default_policy = policy::DefaultPolicy::deny;
  v2->set_inbound(closed);
  EXPECT_EQ(call(*v2, get())->body, "v1");
  network_.advance(1s);
  EXPECT_EQ(got[v2.get()].size(), 1u);
  EXPECT_EQ(v2->telemetry.mirrored["failed"], 1);
}

TEST_F(MeshMirrorTest, ARequestThatIsAbortedOnPurposeIsNotCopied) {
  serve(*v2, says("v2"));
  policy::Service made = mirrored();
  made.fault = {0s, 0, 503, 100};
  hello->know({made});
  EXPECT_EQ(call(*hello, get())->head.status, 503);
  network_.advance(1s);
  EXPECT_TRUE(got[v2.get()].empty());
}

}  // namespace
}  // namespace weft::test
