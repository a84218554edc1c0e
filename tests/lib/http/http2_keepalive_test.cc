// Which peers of HTTP/2 are asked for a sign of life, and what counts as one. In virtual time.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/lib/http/http2_fixture.h"
#include "tests/support/http2_frame.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = limits::http2_keepalive_interval + limits::http2_keepalive_timeout;

class Http2KeepAlive : public Http2Suite {
 protected:
  // A caller that asks for `bytes`, opens its windows wide, and says nothing more.
  void ask_for(std::size_t bytes) {
    constexpr std::uint8_t headers = 1, settings = 4, window_update = 8, end_stream_and_headers = 5;
    const std::string window("\x7f\x00\x00\x00", 4);
    const std::string head = "\x82\x86\x84\x41\x01h";  // GET http / h
    server_.on_request = [bytes](ServedRequest& request) { request.reply(200, std::string(bytes, 'x')); };
    pair_ = connect();
    pair_->near.stream->write(test::http2_preface() +
                              test::raw_frame(settings, 0, 0, std::string("\x00\x04", 2) + window) +
                              test::raw_frame(window_update, 0, 0, window) +
                              test::raw_frame(headers, end_stream_and_headers, 1, head));
    server_.take(std::move(pair_->far.stream));
    ASSERT_TRUE(run_until([this] { return !server_.requests.empty(); }));
  }
  void read(std::size_t bytes) {
    const std::size_t before = pair_->near.data.size();
    pair_->near.stream->resume();
    ASSERT_TRUE(run_until([&] { return pair_->near.data.size() >= before + bytes; }));
    pair_->near.stream->pause();
  }

  std::unique_ptr<test::Pair> pair_;
};

// An application with one thread, say, that computes.
TEST_F(Http2KeepAlive, AnApplicationThatReadsNothingIsGivenTheIdleTimeout) {
  connect_both();
  const SentRequest& sent = client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([this] { return !server_.requests.empty(); }));
  server_.connection->stream().pause();
  run_for(3 * patience);
  ASSERT_EQ(sent.outcome, "");
  server_.connection->stream().resume();
  server_.requests.front()->reply(200, "at last");
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.body, "at last");
}

TEST_F(Http2KeepAlive, ASidecarThatReadsNothingIsGone) {
  client_.options.ping_when_silent = true;
  connect_both();
  const SentRequest& sent = client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([this] { return !server_.requests.empty(); }));
  run_for(5 * patience);
  EXPECT_EQ(sent.outcome, "") << "it answers pings";
  server_.connection->stream().pause();
  run_for(patience + 1s);
  EXPECT_TRUE(sent.outcome.starts_with("aborted: the peer was silent for ")) << sent.outcome;
  EXPECT_EQ(sent.delivery, Delivery::maybe);
  EXPECT_EQ(client_.close_error.value_or(Error()).code, Code::unavailable);
}

// Its ping waits behind what it does not read.
TEST_F(Http2KeepAlive, ASidecarThatReadsNothingIsGoneHoweverMuchIsToBeSent) {
  server_.options.ping_when_silent = true;
  ask_for(2'000'000);
  pair_->near.stream->pause();
  run_for(patience + 1s);
  EXPECT_EQ(server_.closes, 1);
  EXPECT_EQ(server_.close_error.value_or(Error()).code, Code::unavailable);
}

TEST_F(Http2KeepAlive, WhatASidecarTakesIsASignOfItsLife) {
  server_.options.ping_when_silent = true;
  ask_for(2'000'000);
  for (int i = 0; i < 5; ++i) {
    ASSERT_NO_FATAL_FAILURE(read(300'000));
    run_for(limits::http2_keepalive_interval + 5s);
    ASSERT_EQ(server_.closes, 0);
  }
  run_for(patience + 1s);
  EXPECT_EQ(server_.closes, 1);
}

TEST_F(Http2KeepAlive, ACallerThatReadsSlowlyGetsAll) {
  constexpr std::size_t bytes = 2'000'000;
  ask_for(bytes);
  for (int i = 0; i < 6; ++i) {
    ASSERT_NO_FATAL_FAILURE(read(300'000));
    run_for(50s);
  }
  pair_->near.stream->resume();
  EXPECT_TRUE(run_until([this] { return pair_->near.data.size() > bytes; }));
  EXPECT_EQ(server_.closes, 0);
}

}  // namespace
}  // namespace weft::http
