// How many requests and connections may be under way, and what the ones beyond get: weft.mesh/limits.
#include "tests/sidecar/mesh_fixture.h"
#include "tests/support/stream_recorder.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class MeshLimitsTest : public MeshTest {
 protected:
  MeshLimitsTest() {
    world_->serve(app_port, [this](const http::SimpleRequest&, http::SimpleServer::Respond respond) {
      held_.push_back(std::move(respond));
    });
  }
  struct Call {
    std::unique_ptr<http::Fetch> fetch;
    std::optional<Result<http::FetchReply>> outcome;
    int status() const { return outcome && *outcome ? (*outcome)->head.status : 0; }
  };
  std::unique_ptr<Call> begin(http::FetchRequest request = get()) {
    auto made = std::make_unique<Call>();
    made->fetch =
        hello_->fetch(Address::parse("198.18.128.1:80").value(), std::move(request),
                      [&made = *made](Result<http::FetchReply> reply) { made.outcome = std::move(reply); });
    return made;
  }
  void know(policy::ServiceLimits limits, bool one_for_one = false) {
    policy::Endpoint endpoint = world_->endpoint(app_port);
    endpoint.preserve_case = one_for_one;  // else requests share a connection
    policy::Service known = service({endpoint});
    known.limits = limits;
    hello_->know({known});
  }
  void answer_all() {
    for (auto& respond : std::exchange(held_, {})) respond(http::SimpleReply{200, "late", "text/plain", {}});
  }
  void expect_overload(Call& call) {
    const MonotonicTime begun = network_.now();
    ASSERT_TRUE(network_.run_until([&] { return call.outcome.has_value(); }, 1s));
    EXPECT_LT(network_.now() - begun, 100ms) << "at once";
    ASSERT_TRUE(*call.outcome);
    const auto& head = (*call.outcome)->head;
    EXPECT_EQ(head.status, 503);
    EXPECT_EQ(head.headers.get("x-weft-error"), "overload");
    EXPECT_EQ(head.headers.get("retry-after"), "1");
  }
  bool until_held(std::size_t count) {
    return network_.run_until([this, count] { return held_.size() == count; }, 1s);
  }

  std::unique_ptr<SimPod> hello_ = pod("198.18.0.1", "hello");
  std::unique_ptr<SimPod> world_ = pod("198.18.0.2", "world");
  std::vector<http::SimpleServer::Respond> held_;  // requests that the application has not answered
};

TEST_F(MeshLimitsTest, ARequestTooManyIsToldSoAtOnceAndTheOthersAreServed) {
  know({.connections = 10, .pending = 10, .requests = 2});
  const auto first = begin();
  const auto second = begin();
  ASSERT_TRUE(until_held(2));
  const auto third = begin();
  expect_overload(*third);
  answer_all();
  ASSERT_TRUE(network_.run_until([&] { return first->status() == 200 && second->status() == 200; }));
  const auto fourth = begin();
  ASSERT_TRUE(until_held(1)) << "it recovers by itself";
  answer_all();
  ASSERT_TRUE(network_.run_until([&] { return fourth->status() == 200; }));
  network_.advance(1s);
  const auto& requests = hello_->telemetry.requests;
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[0].reason, "overload");
  EXPECT_EQ(requests[0].tries.back().outcome, "overload");
  EXPECT_EQ(hello_->telemetry.ejections, 0) << "no fault of the endpoint";
}

TEST_F(MeshLimitsTest, ARequestWithoutAConnectionWaitsAndOneTooManyThatWaitsIsRefused) {
  know({.connections = 1, .pending = 1, .requests = 10}, true);
  const auto first = begin();
  ASSERT_TRUE(until_held(1));
  const auto second = begin();
  network_.advance(100ms);
  EXPECT_FALSE(second->outcome);
  const auto third = begin();
  expect_overload(*third);
  EXPECT_EQ(held_.size(), 1u) << "the second is still waiting for the connection of the first";
  answer_all();
  ASSERT_TRUE(until_held(1));
  answer_all();
  ASSERT_TRUE(network_.run_until([&] { return first->status() == 200 && second->status() == 200; }));
}

// A caller that closes its connection may be gone, or may have closed one half only.
TEST_F(MeshLimitsTest, ACallerThatEndsWhileItQueuesKeepsNobodyElseOut) {
  know({.connections = 1, .pending = 1, .requests = 10}, true);
  const auto first = begin();
  ASSERT_TRUE(until_held(1));
  const auto leaving = connected(*hello_, "GET / HTTP/1.1\r\nhost: world\r\n\r\n");
  network_.advance(100ms);
  EXPECT_TRUE(leaving->data.empty()) << "it waits: " << leaving->data;
  leaving->stream->end();
  ASSERT_TRUE(network_.run_until([&] { return leaving->data.find("overload") != std::string::npos; }, 1s))
      << "who is there still is told: " << leaving->data;
  const auto second = begin();
  network_.advance(100ms);
  EXPECT_FALSE(second->outcome) << "it waits in the place of the one that left";
  answer_all();
  ASSERT_TRUE(until_held(1));
  answer_all();
  ASSERT_TRUE(network_.run_until([&] { return first->status() == 200 && second->status() == 200; }));
}

// It is the limit that it fails at, and no endpoint.
TEST_F(MeshLimitsTest, ATryThatTimesOutInTheQueueIsOverloadAndNobodysFault) {
  policy::Endpoint endpoint = world_->endpoint(app_port);
  endpoint.preserve_case = true;
  policy::Service known = service({endpoint});
  known.limits = {.connections = 1, .pending = 10, .requests = 10};
  hello_->know({known});
  const auto slow = begin();
  ASSERT_TRUE(until_held(1));
  known.retry.per_try_timeout = policy::Millis(200);
  hello_->know({known});
  const auto waiting = begin();
  ASSERT_TRUE(network_.run_until([&] { return waiting->outcome.has_value(); }, 1s));
  EXPECT_EQ(waiting->status(), 503);
  EXPECT_EQ((*waiting->outcome)->head.headers.get("x-weft-error"), "overload");
  answer_all();
  ASSERT_TRUE(network_.run_until([&] { return slow->status() == 200; }));
  const auto next = begin();
  ASSERT_TRUE(until_held(1)) << "the endpoint is not passed over";
  answer_all();
  ASSERT_TRUE(network_.run_until([&] { return next->status() == 200; }));
}

TEST_F(MeshLimitsTest, ACallerThatClosedItsHalfIsServedWhereNothingHasToQueue) {
  know({.connections = 1, .pending = 1, .requests = 10}, true);
  const auto half = connected(*hello_, "GET / HTTP/1.1\r\nhost: world\r\n\r\n");
  half->stream->end();
  ASSERT_TRUE(until_held(1));
  answer_all();
  EXPECT_TRUE(network_.run_until([&] { return half->data.ends_with("late"); }, 1s)) << half->data;
}

TEST_F(MeshLimitsTest, LimitsAreLiveAndWhatIsUnderWayCounts) {
  know({.connections = 10, .pending = 10, .requests = 1});
  const auto first = begin();
  ASSERT_TRUE(until_held(1));
  expect_overload(*begin());
  know({.connections = 10, .pending = 10, .requests = 2});
  const auto second = begin();
  ASSERT_TRUE(until_held(2));
  expect_overload(*begin());
}

TEST_F(MeshLimitsTest, AGrpcCallTooManyIsUnavailable) {
  know({.connections = 10, .pending = 10, .requests = 1});
  const auto first = begin();
  ASSERT_TRUE(until_held(1));
  http::FetchRequest grpc = get("/shop.Cart/Add");
  grpc.head.method = "POST";
  grpc.head.headers.add("content-type", "application/grpc");
  const auto second = begin(std::move(grpc));
  ASSERT_TRUE(network_.run_until([&] { return second->outcome.has_value(); }, 1s));
  const auto& head = (*second->outcome)->head;
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.get("grpc-status"), "14");
  EXPECT_EQ(head.headers.get("x-weft-error"), "overload");
  network_.advance(1s);
  ASSERT_FALSE(hello_->telemetry.requests.empty());
  EXPECT_EQ(hello_->telemetry.requests[0].grpc_status, "14");
}

TEST_F(MeshLimitsTest, APodCalledByItsAddressCountsForItsService) {
  know({.connections = 10, .pending = 10, .requests = 1});
  policy::AddressOwner owner;
  owner.address = Address{world_->ip(), app_port};
  owner.kind = policy::AddressOwner::Kind::pod;
  owner.pod = world_->endpoint(app_port);
  owner.protocol = policy::Protocol::http1;
  owner.pod_service = "default/world:80";
  hello_->know({}, {owner});
  const auto first = begin();
  ASSERT_TRUE(until_held(1));
  const auto reply = call(*hello_, get(), "198.18.0.2:8080");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.headers.get("x-weft-error"), "overload");
}

TEST_F(MeshLimitsTest, AnOpaqueConnectionTooManyIsReset) {
  policy::Service opaque = service({world_->endpoint(9000)});
  opaque.protocol = policy::Protocol::tcp;
  opaque.limits.connections = 1;
  hello_->know({opaque});
  std::vector<std::unique_ptr<StreamRecorder>> served;
  const auto listener = world_->loop()
                            .listen(Address{world_->ip(), 9000}, {},
                                    [&](std::unique_ptr<io::Stream> stream) {
                                      served.push_back(std::make_unique<StreamRecorder>(std::move(stream)));
                                    })
                            .value();
  const auto connect = [this, &opaque](StreamRecorder& client) {
    return hello_->connect(opaque.addresses[0], [&client](Result<std::unique_ptr<io::Stream>> stream) {
      client.take(*std::move(stream));
    });
  };
  StreamRecorder first;
  const auto connecting_first = connect(first);
  ASSERT_TRUE(network_.run_until([&] { return served.size() == 1; }));
  StreamRecorder second;
  const auto connecting_second = connect(second);
  ASSERT_TRUE(network_.run_until([&] { return second.failures == 1; }, 1s));
  EXPECT_EQ(hello_->telemetry.refused["overload"], 1);
  first.stream->end();
  served[0]->stream->end();
  ASSERT_TRUE(network_.run_until([&] { return hello_->connections() == 0; }));
  StreamRecorder third;
  const auto connecting_third = connect(third);
  ASSERT_TRUE(network_.run_until([&] { return served.size() == 2; }));
}

}  // namespace
}  // namespace weft::test
