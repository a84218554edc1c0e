// HTTP/2 connections through the interfaces that they share with HTTP/1, on either loop.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/lib/http/http2_fixture.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

TEST_F(Http2Suite, CarriesARequestWithBodyAndTrailersBothWays) {
  server_.on_request = [](ServedRequest& request) {
    request.on_end = [&request] {
      codec::Headers trailers;
      trailers.add("grpc-status", "0");
      request.exchange->send_head(response(103), false);
      request.exchange->send_head(response(200, {{"X-Answer", "yes"}}), false);
      request.exchange->send_body(str_cat("got ", request.body));
      request.exchange->send_end(trailers);
    };
  };
  connect_both();
  codec::RequestHead head = request("POST", "/path?query", {{"X-Custom", "Value"}, {"te", "trailers"}});
  SentRequest& sent = client_.send(head, false);
  sent.exchange->send_body("a ");
  sent.exchange->send_body("body");
  codec::Headers trailers;
  trailers.add("x-checksum", "7");
  sent.exchange->send_end(trailers);
  ASSERT_TRUE(over(sent));
  const ServedRequest& served = *server_.requests.front();
  EXPECT_EQ(served.head.method, "POST");
  EXPECT_EQ(served.head.target, "/path?query");
  EXPECT_EQ(served.head.authority, "h");
  EXPECT_EQ(served.head.version, codec::Version::http2);
  EXPECT_EQ(served.head.headers.get("x-custom"), "Value");
  EXPECT_EQ(served.trailers.get("x-checksum"), "7");
  EXPECT_EQ(sent.outcome, "finished");
  EXPECT_EQ(served.outcome, "finished");
  EXPECT_EQ(sent.head.status, 200);
  EXPECT_EQ(sent.interims, 1);
  EXPECT_EQ(sent.head.headers.get("x-answer"), "yes");
  EXPECT_EQ(sent.body, "got a body");
  EXPECT_EQ(sent.trailers.get("grpc-status"), "0");
  EXPECT_EQ(client_.availables, 2) << "the peer said how many it takes, and this one ended";
  EXPECT_TRUE(client_.connection->available() && client_.connection->idle());
}

TEST_F(Http2Suite, ManyExchangesShareOneConnectionAndFinishInAnyOrder) {
  connect_both();
  for (int i = 0; i < 50; ++i) client_.send(request("GET", str_cat("/", i)), true);
  ASSERT_TRUE(run_until([this] { return server_.requests.size() == 50; }));
  for (std::size_t i = 50; i-- > 0;) server_.requests[i]->reply(200, std::to_string(i));
  ASSERT_TRUE(run_until([this] { return client_.connection->idle(); }));
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(client_.requests[i]->body, std::to_string(i));
    EXPECT_EQ(client_.requests[i]->outcome, "finished");
  }
}

TEST_F(Http2Suite, AtThePeersLimitOfStreamsItIsNotAvailable) {
  connect_both();
  const SentRequest& first = client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([this] { return !server_.requests.empty(); }));
  while (client_.connection->available()) client_.send(request("GET", "/"), true);
  EXPECT_EQ(client_.requests.size(), limits::http2_streams_max);
  server_.requests.front()->reply(204, "");
  ASSERT_TRUE(over(first));
  EXPECT_TRUE(client_.connection->available());
}

// A stalled stream stops its sender, holds at most a window, and blocks no other stream.
TEST_F(Http2Suite, APausedBodyStopsItsOwnStreamAndNoOther) {
  server_.on_request = [](ServedRequest& request) {
    if (request.head.target == "/slow") {
      request.on_body = [&request] { request.exchange->pause_body(); };
    } else {
      request.on_end = [&request] { request.reply(200, std::to_string(request.body.size())); };
    }
  };
  connect_both();
  SentRequest& slow = client_.send(request("POST", "/slow"), false);
  const std::string piece(64 * 1024, 's');
  std::size_t taken = 0;
  slow.on_drained = [&] {
    while (slow.exchange->writable()) {
      slow.exchange->send_body(piece);
      taken += piece.size();
    }
  };
  slow.on_drained();
  run_for(50ms);
  SentRequest& quick = client_.send(request("POST", "/quick"), false);
  quick.exchange->send_body(piece);
  quick.exchange->send_end({});
  ASSERT_TRUE(over(quick));
  EXPECT_EQ(quick.body, std::to_string(piece.size()));
  ServedRequest& stalled = *server_.requests.front();
  const std::size_t bound = limits::http2_stream_window_bytes + limits::write_high_bytes + 2 * piece.size();
  EXPECT_LE(taken, bound) << "the sender was not stopped";
  EXPECT_LE(stalled.body.size(), limits::http2_stream_window_bytes);
  stalled.on_body = nullptr;
  stalled.exchange->resume_body();
  ASSERT_TRUE(run_until([&] { return stalled.body.size() > bound; }));
  slow.on_drained = nullptr;
  slow.exchange->cancel();
  ASSERT_TRUE(run_until([&] { return !stalled.outcome.empty(); }));
  EXPECT_EQ(stalled.outcome, "aborted: the caller reset the request: CANCEL");
}

TEST_F(Http2Suite, AResponseIsWholeHoweverLateItsTakerReads) {
  server_.on_request = [](ServedRequest& request) { request.reply(200, std::string(100000, 'x')); };
  connect_both();
  SentRequest& sent = client_.send(request("GET", "/"), true);
  sent.on_body = [&sent] { sent.exchange->pause_body(); };
  ASSERT_TRUE(
      run_until([this] { return !server_.requests.empty() && !server_.requests[0]->outcome.empty(); }));
  run_for(20ms);
  EXPECT_EQ(sent.outcome, "");
  EXPECT_LT(sent.body.size(), 100000u);
  sent.on_body = nullptr;
  sent.exchange->resume_body();
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.outcome, "finished");
  EXPECT_EQ(sent.body.size(), 100000u);
}

TEST_F(Http2Suite, AnAnswerBeforeTheEndOfTheRequestFinishesBoth) {
  server_.on_request = [](ServedRequest& request) { request.reply(413, "too large"); };
  connect_both();
  SentRequest& sent = client_.send(request("POST", "/"), false);
  sent.exchange->send_body("some of it");
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.outcome, "finished");
  EXPECT_EQ(sent.body, "too large");
  EXPECT_EQ(server_.requests.front()->outcome, "finished");
  EXPECT_TRUE(client_.connection->available()) << "the connection goes on";
}

TEST_F(Http2Suite, AResetOfTheServerAbortsTheOneExchange) {
  server_.on_request = [](ServedRequest& request) {
    if (request.head.target == "/bad") request.exchange->reset(Error{Code::internal, "no"});
  };
  connect_both();
  const SentRequest& bad = client_.send(request("GET", "/bad"), true);
  const SentRequest& good = client_.send(request("GET", "/good"), true);
  ASSERT_TRUE(over(bad));
  EXPECT_EQ(bad.outcome, "aborted: the peer reset the request: INTERNAL_ERROR");
  EXPECT_EQ(bad.delivery, Delivery::maybe);
  EXPECT_EQ(server_.requests.front()->outcome, "aborted: no");
  ASSERT_TRUE(run_until([this] { return server_.requests.size() == 2; }));
  server_.requests.back()->reply(200, "fine");
  ASSERT_TRUE(over(good));
  EXPECT_EQ(good.body, "fine");
}

TEST_F(Http2Suite, ADrainedServerFinishesWhatIsUnderWayAndTakesNothingNew) {
  connect_both();
  const SentRequest& sent = client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([this] { return !server_.requests.empty(); }));
  server_.connection->drain();
  ASSERT_TRUE(run_until([this] { return !client_.connection->available(); }));
  EXPECT_EQ(sent.outcome, "");
  const SentRequest& late = client_.send(request("GET", "/late"), true);
  ASSERT_TRUE(over(late));
  EXPECT_EQ(late.delivery, Delivery::never);
  server_.requests.front()->reply(200, "done");
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.body, "done");
  ASSERT_TRUE(run_until([this] { return server_.closes == 1 && client_.closes == 1; }));
  EXPECT_FALSE(server_.close_error || client_.close_error);
}

TEST_F(Http2Suite, WhatIsOnItsWayToAServerThatTakesNoMoreWasNeverTaken) {
  connect_both();
  const SentRequest& first = client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([this] { return server_.requests.size() == 1; }));
  server_.connection->refuse_new();
  const SentRequest& crossing = client_.send(request("GET", "/"), true);
  ASSERT_TRUE(over(crossing));
  EXPECT_EQ(crossing.delivery, Delivery::never);
  EXPECT_EQ(server_.requests.size(), 1u);
  server_.requests.front()->reply(200, "answer");
  ASSERT_TRUE(over(first));
  EXPECT_EQ(first.body, "answer");
  EXPECT_TRUE(run_until([this] { return server_.closes == 1 && client_.closes == 1; }));
}

TEST_F(Http2Suite, ASlowReaderGetsTheTailOfWhatADrainedServerSaid) {
  connect_both();
  constexpr std::size_t many = 60;
  for (std::size_t i = 0; i < many; ++i) client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([this] { return server_.requests.size() == many; }));
  client_.connection->stream().pause();
  const std::string body(250'000, 'x');
  for (const auto& served : server_.requests) served->reply(200, body);
  server_.connection->refuse_new();
  run_for(1500ms);
  client_.connection->stream().resume();
  for (const auto& sent : client_.requests) {
    ASSERT_TRUE(over(*sent));
    EXPECT_EQ(sent->outcome, "finished");
    EXPECT_EQ(sent->body.size(), body.size());
  }
}

TEST_F(Http2Suite, ADrainedClientClosesWhenItsLastExchangeIsOver) {
  connect_both();
  const SentRequest& sent = client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([this] { return !server_.requests.empty(); }));
  client_.connection->drain();
  EXPECT_FALSE(client_.connection->available());
  server_.requests.front()->reply(200, "done");
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.outcome, "finished");
  ASSERT_TRUE(run_until([this] { return server_.closes == 1 && client_.closes == 1; }));
}

TEST_F(Http2Suite, ABrokenConnectionAbortsEveryExchangeOnceAndSaysWhatMayHaveArrived) {
  connect_both();
  const SentRequest& sent = client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([this] { return !server_.requests.empty(); }));
  const SentRequest& unsent = client_.send(request("GET", "/unsent"), true);
  client_.connection->close(Error{Code::refused, "policy"});
  ASSERT_TRUE(run_until([this] { return server_.closes == 1 && client_.closes == 1; }));
  EXPECT_EQ(sent.outcome, "aborted: policy");
  EXPECT_EQ(sent.delivery, Delivery::maybe);
  EXPECT_NE(unsent.outcome, "");
  EXPECT_NE(server_.requests.front()->outcome, "");
}

TEST_F(Http2Suite, CancelledExchangesAreNotHeardOfAgain) {
  connect_both();
  const SentRequest& sent = client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([this] { return !server_.requests.empty(); }));
  sent.exchange->cancel();
  ASSERT_TRUE(run_until([this] { return !server_.requests.front()->outcome.empty(); }));
  EXPECT_EQ(sent.outcome, "");
  EXPECT_TRUE(client_.connection->idle() && client_.connection->available());
}

TEST_F(Http2Suite, WhatADetectorReadComesFirst) {
  std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  preface += std::string("\0\0\0\4\0\0\0\0\0", 9);  // SETTINGS
  const auto pair = connect();
  server_.take(std::move(pair->far.stream), preface);
  ASSERT_TRUE(run_until([&] { return pair->near.data.size() > 9; }));
  EXPECT_EQ(pair->near.data[3], '\4') << "the server's SETTINGS";
  EXPECT_EQ(server_.closes, 0);
}

TEST_F(Http2Suite, ARequestWithTwoNamesIsRefusedAndTheConnectionGoesOn) {
  connect_both();
  const SentRequest& bad = client_.send(request("GET", "/", {{"host", "other"}}), true);
  ASSERT_TRUE(over(bad));
  EXPECT_EQ(bad.head.status, 400);
  EXPECT_EQ(bad.body, "Host is not :authority\n");
  EXPECT_TRUE(server_.requests.empty());
  EXPECT_TRUE(client_.connection->available());
}

TEST_F(Http2Suite, AnIdleStreamIsGivenUpAndAnIdleConnectionTold) {
  server_.options.idle_timeout = 60ms;
  connect_both();
  const SentRequest& sent = client_.send(request("GET", "/"), true);
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.outcome, "aborted: the peer reset the request: CANCEL");
  EXPECT_EQ(server_.requests.front()->outcome, "aborted: nothing was sent or received for too long");
  ASSERT_TRUE(run_until([this] { return server_.closes == 1 && client_.closes == 1; }));
  EXPECT_FALSE(server_.close_error);
}

}  // namespace
}  // namespace weft::http
