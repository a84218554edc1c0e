// Peers that break the rules, or ask for more than is good: what becomes of them, and what is said of it.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/text.h"
#include "tests/sidecar/mesh_http2_fixture.h"
#include "tests/support/http2_frame.h"
#include "tests/support/stream_recorder.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr std::uint8_t type_headers = 1, type_settings = 4, type_ping = 6;
constexpr std::uint8_t end_stream = 1, end_headers = 4;
const std::string preface = http2_preface();
// :method GET, :scheme http, :path /, :authority "world"
const std::string head_block = "\x82\x86\x84\x41\x05world"s;
constexpr std::string_view raw_get = "GET / HTTP/1.1\r\nhost: world\r\n\r\n";

// A caller and an application whose port is declared `spoken`.
class MeshHostileTest : public MeshHttp2Test {
 protected:
  void declare(policy::Protocol spoken, std::uint32_t attempts = 0) {
    world_->set_inbound(speaking(*world_, spoken));
    policy::Service made = service({world_->endpoint(app_port)});
    made.retry.attempts = attempts;
    if (attempts > 0) made.retry.retry_on = policy::retry_5xx | policy::retry_reset;
    hello_->know({made});
  }
  const sidecar::RequestRecord& last_record() {
    network_.advance(1s);
    return hello_->telemetry.requests.back();
  }

  std::unique_ptr<SimPod> hello_ = pod("198.18.0.1", "hello");
  std::unique_ptr<SimPod> world_ = pod("198.18.0.2", "world");
};

TEST_F(MeshHostileTest, AFloodIsEndedAndSaidToBeOne) {
  declare(policy::Protocol::http2);
  const auto client = connected(*hello_, preface);
  std::string pings;
  for (unsigned i = 0; i <= limits::http2_pings_per_second_max; ++i)
    pings += raw_frame(type_ping, 0, 0, "12345678");
  client->stream->write(pings);
  client->stream->end();
  ASSERT_TRUE(network_.run_until([&] { return client->over(); }));
  network_.advance(2s);
  EXPECT_EQ(hello_->telemetry.ended, (std::map<std::string, int>{{"flood", 1}}));
}

TEST_F(MeshHostileTest, WhatIsNoHttp2IsEndedAndSaidToBeNone) {
  declare(policy::Protocol::http2);
  const auto client = connected(*hello_, preface + raw_frame(type_settings, 0, 1, "on a stream"));
  client->stream->end();
  ASSERT_TRUE(network_.run_until([&] { return client->over(); }));
  network_.advance(2s);
  EXPECT_EQ(hello_->telemetry.ended, (std::map<std::string, int>{{"protocol-error", 1}}));
}

TEST_F(MeshHostileTest, AMalformedHeadIsOnRecordAndTheConnectionGoesOn) {
  declare(policy::Protocol::http2);
  const Http2Application application(*world_, [](ServedRequest& request) { request.reply(200, "fine"); });
  // A name in upper case (RFC 9113 § 8.2.1): a literal field without indexing.
  const std::string upper = head_block + "\x00\x01X\x01y"s;
  const auto client =
      connected(*hello_, preface + raw_frame(type_headers, end_headers | end_stream, 1, upper));
  network_.advance(100ms);
  client->stream->write(raw_frame(type_headers, end_headers | end_stream, 3, head_block));
  ASSERT_TRUE(network_.run_until([&] { return hello_->telemetry.requests.size() == 2; }));
  EXPECT_FALSE(client->over());
  EXPECT_EQ(hello_->telemetry.requests[0].status, 0);
  EXPECT_EQ(hello_->telemetry.requests[0].reason, "bad-request: Invalid HTTP header field was received");
  EXPECT_EQ(hello_->telemetry.requests[1].status, 200);
  EXPECT_EQ(application.requests(), 1u);
}

// RFC 9110 § 15: the first digit is one of 1 to 5. nghttp2 asks for three digits.
TEST_F(MeshHostileTest, AStatusBelow100IsNoResponse) {
  declare(policy::Protocol::http2);
  for (const std::uint8_t end : {std::uint8_t{0}, end_stream}) {
    const auto app = serve_raw(*world_);
    const auto client = connected(*hello_, raw_get);
    ASSERT_TRUE(network_.run_until([&] { return !app->served.empty() && app->last().data.size() > 100; }));
    for (const auto& each : app->served) {
      each->stream->write(raw_frame(type_settings, 0, 0, "") +
                          raw_frame(type_headers, end_headers | end, 1, "\x08\x03\x30\x39\x39"s));
    }
    ASSERT_TRUE(network_.run_until([&] { return client->data.size() >= 12 || client->over(); }, 10s));
    EXPECT_TRUE(client->data.starts_with("HTTP/1.1 50")) << client->data;
    app->served.clear();
    network_.advance(2s);
  }
}

TEST_F(MeshHostileTest, InterimHeadsWithoutEndAreNoResponse) {
  declare(policy::Protocol::http1);
  const auto app = serve_raw(*world_);
  const auto client = connected(*hello_, raw_get);
  ASSERT_TRUE(network_.run_until([&] { return app->got("\r\n\r\n"); }));
  std::string hints;
  for (unsigned i = 0; i <= limits::interim_heads_max; ++i) hints += "HTTP/1.1 103 Early Hints\r\n\r\n";
  app->last().stream->write(hints);
  ASSERT_TRUE(network_.run_until(
      [&] { return client->data.find("x-weft-error: bad-response") != std::string::npos; }, 10s))
      << client->data;
  EXPECT_NE(client->data.find("HTTP/1.1 502 "), std::string::npos);
  EXPECT_EQ(app->served.size(), 1u);
}

// Something of an answer has reached the caller: another try would be another answer.
TEST_F(MeshHostileTest, NothingIsTriedAgainBehindAnInterimHead) {
  declare(policy::Protocol::http1, 3);
  for (const std::string_view then : {"", "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"}) {
    const auto app = serve_raw(*world_);
    const auto client = connected(*hello_, raw_get);
    ASSERT_TRUE(network_.run_until([&] { return app->got("\r\n\r\n"); }));
    app->last().stream->write("HTTP/1.1 103 Early Hints\r\n\r\n");
    ASSERT_TRUE(network_.run_until([&] { return !client->data.empty(); }));
    if (!then.empty()) app->last().stream->write(then);
    app->last().stream->end();
    ASSERT_TRUE(network_.run_until([&] { return client->data.find(" 503 ") != std::string::npos; }, 10s));
    EXPECT_EQ(app->served.size(), 1u) << client->data;
    const sidecar::RequestRecord& record = last_record();
    ASSERT_EQ(record.tries.size(), 1u);
    EXPECT_EQ(record.tries[0].not_retried, "response-started");
  }
}

TEST_F(MeshHostileTest, WhoAsksAndNeverReadsIsNotServedWithoutEnd) {
  declare(policy::Protocol::http1);
  policy::InboundPolicy denied = world_->inbound_policy(policy::MtlsMode::permissive);
  denied.default_policy = policy::DefaultPolicy::deny;
  world_->set_inbound(denied);
  StreamRecorder client;
  sim::SimLoop& outside = network_.add_loop({IpAddress::parse("198.19.0.1").value()});
  const auto connecting = outside.connect(Address{world_->ip(), app_port}, {},
                                          [&](auto stream) { client.take(*std::move(stream)); });
  ASSERT_TRUE(network_.run_until([&] { return client.stream != nullptr; }));
  client.stream->pause();
  constexpr std::size_t asked = 40000;
  for (std::size_t i = 0; i < asked / 1000; ++i) {
    std::string many;
    for (int k = 0; k < 1000; ++k) many += raw_get;
    client.stream->write(many);
    network_.advance(100ms);
  }
  const std::size_t answered = world_->telemetry.requests.size();
  EXPECT_GT(answered, 100u);
  EXPECT_LT(answered, asked / 2) << "all that nobody reads is held";
  network_.advance(10s);
  EXPECT_EQ(world_->telemetry.requests.size(), answered);
  client.stream->resume();
  EXPECT_TRUE(network_.run_until([&] { return world_->telemetry.requests.size() == asked; }));
}

}  // namespace
}  // namespace weft::test
