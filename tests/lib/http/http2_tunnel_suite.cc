// Tunnels over HTTP/2 on either loop: CONNECT (RFC 9113 § 8.5) and extended CONNECT (RFC 8441).
#include <gtest/gtest.h>

#include "tests/lib/http/http2_fixture.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

const std::string settings("\0\0\0\4\0\0\0\0\0", 9);

codec::RequestHead websocket(const char* path) {
  codec::RequestHead head = request("CONNECT", path);
  head.protocol = "websocket";
  return head;
}

TEST_F(Http2Suite, ConnectIsATunnelThatEndsInBothDirections) {
  connect_both();
  codec::RequestHead head = request("CONNECT", "db:5432");
  head.authority = "db:5432";
  const SentRequest& sent = client_.send(head, false);
  ASSERT_TRUE(run_until([this] { return !server_.requests.empty(); }));
  ServedRequest& served = *server_.requests.front();
  EXPECT_EQ(served.head.target, "db:5432");
  served.exchange->send_head(response(200), false);
  served.exchange->send_body("hello");
  sent.exchange->send_body("ping");
  ASSERT_TRUE(run_until([&] { return served.body == "ping" && sent.body == "hello"; }));
  sent.exchange->send_end({});
  ASSERT_TRUE(run_until([&] { return served.ended; }));
  served.exchange->send_body(", bye");
  served.exchange->send_end({});
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.body, "hello, bye");
  EXPECT_EQ(sent.outcome, "finished");
}

TEST_F(Http2Suite, ATunnelWhoseServerEndsFirstCarriesTheRest) {
  connect_both();
  SentRequest& sent = client_.send(websocket("/chat"), false);
  ASSERT_TRUE(run_until([this] { return !server_.requests.empty(); }));
  ServedRequest& served = *server_.requests.front();
  served.exchange->send_head(response(200), false);
  served.exchange->send_body("bye");
  served.exchange->send_end({});
  ASSERT_TRUE(run_until([&] { return sent.ended; }));
  EXPECT_EQ(sent.body, "bye");
  run_for(10ms);
  sent.exchange->send_body("one more thing");
  sent.exchange->send_end({});
  ASSERT_TRUE(over(sent) && run_until([&] { return !served.outcome.empty(); }));
  EXPECT_EQ(served.body, "one more thing");
  EXPECT_EQ(sent.outcome, "finished");
  EXPECT_EQ(served.outcome, "finished");
}

// RFC 9113 § 8.1: NO_ERROR behind a complete response.
TEST_F(Http2Suite, ATunnelThatItsServerAbandonsIsOverForBoth) {
  for (const bool ends_first : {true, false}) {
    server_.on_request = [&](ServedRequest& served) {
      served.exchange->send_head(response(200), false);
      if (!ends_first) served.exchange->abandon_request();
      served.exchange->send_body("bye");
      served.exchange->send_end({});
      if (ends_first) served.exchange->abandon_request();
    };
    if (!client_.connection) connect_both();
    const SentRequest& sent = client_.send(websocket("/chat"), false);
    ASSERT_TRUE(over(sent) && run_until([this] { return !server_.requests.back()->outcome.empty(); }));
    EXPECT_EQ(sent.body, "bye");
    EXPECT_EQ(sent.outcome, "finished");
    EXPECT_EQ(server_.requests.back()->outcome, "finished");
  }
}

// RFC 8441 § 3: not before the server has offered it.
TEST_F(Http2Suite, AnExtendedConnectWaitsForTheServersSettings) {
  connect_both();
  SentRequest& first = client_.send(websocket("/chat"), false);
  EXPECT_FALSE(first.exchange->writable());
  bool drained = false;
  first.on_drained = [&] { drained = true; };
  first.exchange->send_body("early");
  SentRequest& second = client_.send(websocket("/news"), false);
  second.exchange->send_body("all");
  second.exchange->send_end({});
  const SentRequest& plain = client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([this] { return server_.requests.size() == 3 && server_.requests[2]->ended; }));
  EXPECT_EQ(server_.requests[0]->head.target, "/") << "others do not wait with it";
  const ServedRequest& served = *server_.requests[1];
  EXPECT_EQ(served.head.protocol, "websocket");
  EXPECT_EQ(served.head.target, "/chat");
  EXPECT_EQ(server_.requests[2]->head.target, "/news");
  EXPECT_EQ(server_.requests[2]->body, "all");
  EXPECT_TRUE(drained);
  first.exchange->send_body(", late");
  ASSERT_TRUE(run_until([&] { return served.body == "early, late"; }));
  for (const auto& request : server_.requests) request->reply(204, "");
  ASSERT_TRUE(over(second) && over(plain));
}

TEST_F(Http2Suite, AnExtendedConnectThatTheServerDoesNotOfferWasNeverSent) {
  auto pair = connect();
  client_.take(std::move(pair->near.stream));
  const SentRequest& sent = client_.send(websocket("/chat"), false);
  ASSERT_TRUE(run_until([&] { return !pair->far.data.empty(); }));
  run_for(10ms);
  const std::size_t before = pair->far.data.size();
  pair->far.stream->write(settings);
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.outcome, "aborted: the server does not take an extended CONNECT (RFC 8441)");
  EXPECT_EQ(sent.delivery, Delivery::never);
  EXPECT_TRUE(client_.connection->available());
  ASSERT_TRUE(run_until([&] { return pair->far.data.size() >= before + 9; }));
  run_for(10ms);
  EXPECT_EQ(pair->far.data.substr(before), std::string("\0\0\0\4\1\0\0\0\0", 9)) << "an ACK, and no more";
}

TEST_F(Http2Suite, AnExtendedConnectThatAnotherOnesCallbackCancelsIsNotSent) {
  connect_both();
  SentRequest& first = client_.send(websocket("/first"), false);
  SentRequest& second = client_.send(websocket("/second"), false);
  first.on_drained = [&] { second.exchange->cancel(); };
  ASSERT_TRUE(run_until([this] { return !server_.requests.empty(); }));
  run_for(10ms);
  EXPECT_EQ(server_.requests.size(), 1u);
  EXPECT_EQ(server_.requests[0]->head.target, "/first");
}

TEST_F(Http2Suite, AnExtendedConnectThatWaitsForAServerThatGoesWasNeverSent) {
  auto pair = connect();
  client_.take(std::move(pair->near.stream));
  const SentRequest& sent = client_.send(websocket("/chat"), false);
  pair->far.stream->write(settings + std::string("\0\0\10\7\0\0\0\0\0\0\0\0\0\0\0\0\0", 17));  // GOAWAY
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.delivery, Delivery::never);
  EXPECT_TRUE(run_until([this] { return client_.closes == 1; }));
}

TEST_F(Http2Suite, AnExtendedConnectThatStillWaitsEndsWithItsCallerOrItsConnection) {
  auto pair = connect();
  client_.take(std::move(pair->near.stream));
  SentRequest& cancelled = client_.send(websocket("/chat"), false);
  const SentRequest& broken = client_.send(websocket("/chat"), false);
  cancelled.exchange->cancel();
  pair->far.stream->reset();
  pair->far.stream.reset();
  ASSERT_TRUE(over(broken));
  EXPECT_EQ(broken.delivery, Delivery::never);
  EXPECT_EQ(cancelled.outcome, "");
  EXPECT_TRUE(run_until([this] { return client_.closes == 1; }));
}

}  // namespace
}  // namespace weft::http
