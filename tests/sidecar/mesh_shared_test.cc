// Requests of HTTP/1 that share HTTP/2 connections between two sidecars, and what keeps connections of its
// own.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/lib/http/http1_fixture.h"
#include "tests/sidecar/mesh_fixture.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class MeshSharedTest : public MeshTest {
 protected:
  MeshSharedTest() {
    world_->serve(app_port, [this](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
      seen_.push_back(request.head);
      if (holds_)
        held_.push_back(std::move(respond));
      else
        respond(http::SimpleReply{200, request.body, "text/plain", {}});
    });
    hello_->know({service({world_->endpoint(app_port)})});
  }
  // Between the sidecars, of the last request.
  std::string travelled() {
    network_.advance(1s);
    return world_->telemetry.requests.empty() ? "" : world_->telemetry.requests.back().protocol;
  }
  http::FetchRequest post(std::size_t bytes) const {
    http::FetchRequest request = get();
    request.head.method = "POST";
    request.body = std::string(bytes, 'b');
    return request;
  }

  std::unique_ptr<SimPod> hello_ = pod("198.18.0.1", "hello");
  std::unique_ptr<SimPod> world_ = pod("198.18.0.2", "world");
  std::vector<codec::RequestHead> seen_;
  bool holds_ = false;
  std::vector<http::SimpleServer::Respond> held_;
};

TEST_F(MeshSharedTest, ManyAtATimeTakeOneConnectionAndTheApplicationSeesNothingOfIt) {
  holds_ = true;
  std::vector<std::unique_ptr<http::Fetch>> calls;
  calls.reserve(20);
  int answered = 0;
  for (int i = 0; i < 20; ++i) {
    calls.push_back(hello_->fetch(
        Address::parse("198.18.128.1:80").value(), get(),
        [&](Result<http::FetchReply> reply) { answered += reply && reply->head.status == 200; }));
  }
  ASSERT_TRUE(network_.run_until([&] { return held_.size() == 20; }));
  EXPECT_EQ(world_->telemetry.opened, 1);
  for (auto& respond : held_) respond(http::SimpleReply{200, "", "text/plain", {}});
  ASSERT_TRUE(network_.run_until([&] { return answered == 20; }));
  EXPECT_EQ(travelled(), "HTTP/2");
  for (const codec::RequestHead& head : seen_) {
    EXPECT_EQ(head.version, codec::Version::http11);
    EXPECT_EQ(head.authority, "world");
    EXPECT_TRUE(head.headers.get("x-forwarded-client-cert")->ends_with(";URI=" + hello_->identity()));
    EXPECT_FALSE(http::describe(head.headers).find("x-weft") != std::string::npos);
  }
}

TEST_F(MeshSharedTest, AnApplicationOnAnUndeclaredPortIsSpokenToAsTheCallerSpoke) {
  policy::Service undeclared = service({world_->endpoint(app_port)});
  undeclared.protocol = policy::Protocol::detect;
  hello_->know({undeclared});
  const auto reply = call(*hello_, post(5));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "bbbbb");
  EXPECT_EQ(travelled(), "HTTP/2");
  EXPECT_EQ(seen_.back().version, codec::Version::http11);
}

TEST_F(MeshSharedTest, ALargeBodyHasItsConnectionToItself) {
  for (const auto& [bytes, protocol] : {std::pair{limits::shared_body_bytes_max, "HTTP/2"},
                                        std::pair{limits::shared_body_bytes_max + 1, "HTTP/1.1"}}) {
    const auto reply = call(*hello_, post(bytes));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->body.size(), bytes);
    EXPECT_EQ(travelled(), protocol);
  }
}

TEST_F(MeshSharedTest, TheCaseOfNamesIsKeptForAnEndpointOrAPodThatWantsIt) {
  http::FetchRequest request = get();
  request.head.headers.add("X-CamelCase", "1");
  ASSERT_TRUE(call(*hello_, request));
  EXPECT_TRUE(seen_.back().headers.has("x-camelcase"));
  EXPECT_NE(http::describe(seen_.back().headers).find("x-camelcase: 1"), std::string::npos);

  policy::Endpoint particular = world_->endpoint(app_port);
  particular.preserve_case = true;
  hello_->know({service({particular})});
  ASSERT_TRUE(call(*hello_, request));
  EXPECT_NE(http::describe(seen_.back().headers).find("X-CamelCase: 1"), std::string::npos);
  EXPECT_EQ(travelled(), "HTTP/1.1");

  hello_->know({service({world_->endpoint(app_port)})});
  policy::InboundPolicy own = hello_->inbound_policy();
  own.preserve_case = true;
  hello_->set_inbound(own);
  ASSERT_TRUE(call(*hello_, request));
  EXPECT_NE(http::describe(seen_.back().headers).find("X-CamelCase: 1"), std::string::npos);
  EXPECT_EQ(travelled(), "HTTP/1.1");
}

// HTTP/2 counts 32 bytes for each field, and the caller's sidecar adds some of its own.
TEST_F(MeshSharedTest, AHeadThatHttp1JustAdmitsComesThrough) {
  http::FetchRequest request = get();
  constexpr std::size_t own = 4;  // what the client adds, and Host
  for (std::size_t i = 0; i < limits::headers_max - own; ++i)
    request.head.headers.add(str_cat("x-", i), std::string(670, 'v'));
  const auto reply = call(*hello_, request);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->head.status, 200) << reply->body;
  EXPECT_EQ(travelled(), "HTTP/2");
  EXPECT_GE(seen_.back().headers.size(), limits::headers_max - own);
}

// As over HTTP/1.1, where each of them would have had a connection of its own.
TEST_F(MeshSharedTest, WhenItBreaksIdempotentRequestsAreTriedAgainAndTheEndpointIsNotBlamed) {
  ASSERT_TRUE(call(*hello_, get()));
  holds_ = true;
  std::vector<std::unique_ptr<http::Fetch>> calls;
  calls.reserve(20);
  int answered = 0;
  std::string refused;
  for (int i = 0; i < 20; ++i) {
    http::FetchRequest request = i == 0 ? post(5) : get();
    calls.push_back(hello_->fetch(Address::parse("198.18.128.1:80").value(), std::move(request),
                                  [&](Result<http::FetchReply> reply) {
                                    ASSERT_TRUE(reply);
                                    answered += reply->head.status == 200;
                                    if (reply->head.status != 200)
                                      refused += reply->head.headers.get("x-weft-error").value_or("?");
                                  }));
  }
  ASSERT_TRUE(network_.run_until([&] { return held_.size() == 20; }));
  holds_ = false;
  held_.clear();
  network_.reset_connections(world_->ip());
  ASSERT_TRUE(network_.run_until([&] { return answered == 19 && !refused.empty(); }));
  EXPECT_EQ(refused, "upstream-reset") << "the POST, which may have been read";
  EXPECT_EQ(hello_->telemetry.ejections, 0);
}

// Each caller may give up as often as it likes: together they are no flood.
TEST_F(MeshSharedTest, ManyThatTimeOutTakeNobodyElseAlong) {
  policy::Service impatient = service({world_->endpoint(app_port)});
  impatient.timeout = policy::Millis(100);
  hello_->know({impatient});
  holds_ = true;
  std::vector<std::unique_ptr<http::Fetch>> calls;
  int timed_out = 0;
  constexpr int many = 3 * limits::http2_resets_per_second_max;
  for (int i = 0; i < many; ++i) {
    calls.push_back(hello_->fetch(
        Address::parse("198.18.128.1:80").value(), get(),
        [&](const Result<http::FetchReply>& reply) { timed_out += reply && reply->head.status == 504; }));
    network_.advance(1ms);
  }
  ASSERT_TRUE(network_.run_until([&] { return timed_out == many; }));
  EXPECT_LE(world_->telemetry.opened, 3) << "the connections were not ended as floods";
}

// Gone without a word: those who wait time out, and those who come later do not join them.
TEST_F(MeshSharedTest, AConnectionThatFellSilentTakesNoMoreRequests) {
  policy::Service impatient = service({world_->endpoint(app_port)});
  impatient.timeout = policy::Millis(1500);
  hello_->know({impatient});
  ASSERT_TRUE(call(*hello_, get()));
  network_.set_down(world_->ip(), true);
  const auto waiting = call(*hello_, get());
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->head.status, 504);
  network_.set_down(world_->ip(), false);
  const auto next = call(*hello_, get());
  ASSERT_TRUE(next);
  EXPECT_EQ(next->head.status, 200);
  EXPECT_EQ(world_->telemetry.opened, 2);
}

TEST_F(MeshSharedTest, ACallerThatDoesNotReadBlocksNoOther) {
  const std::string large(std::size_t{8} << 20, 'l');
  world_->stop_serving(app_port);
  world_->serve(app_port, [&](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
    respond(http::SimpleReply{200, request.head.target == "/large" ? large : "small", "text/plain", {}});
  });
  const auto stalled = connected(*hello_, "GET /large HTTP/1.1\r\nHost: world\r\n\r\n");
  stalled->stream->pause();
  network_.advance(5s);
  for (int i = 0; i < 20; ++i) {
    const auto reply = call(*hello_, get("/small"));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->body, "small");
  }
  EXPECT_EQ(world_->telemetry.opened, 1) << "all on the connection of the one that stalls";
  stalled->stream->resume();
  ASSERT_TRUE(network_.run_until([&] { return stalled->data.size() > large.size(); }));
  EXPECT_TRUE(stalled->data.ends_with(std::string(1000, 'l')));
}

}  // namespace
}  // namespace weft::test
