// How an HTTP/1 server's connections and exchanges end: time-outs, closes, drain, resets.
#include "tests/lib/http/http1_server_fixture.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

TEST_F(Http1Server, AnswersAHeadThatDoesNotArriveInTimeWith408) {
  server_.options.header_timeout = 50ms;
  start();
  settle();
  write("GET / HT");
  for (int i = 0; i < 4; ++i) {
    run_for(20ms);
    write("T");  // trickling does not help
  }
  ASSERT_TRUE(run_until([&] { return pair_->near.ends == 1; }));
  EXPECT_TRUE(got().starts_with("HTTP/1.1 408 Request Timeout\r\n")) << got();
  EXPECT_TRUE(over());
}

TEST_F(Http1Server, ClosesAnIdleConnectionWithoutAWord) {
  server_.options.idle_timeout = 50ms;
  start();
  echo();
  write(get);
  ASSERT_TRUE(run_until([&] { return pair_->near.ends == 1; }));
  EXPECT_EQ(got(), ok("GET / "));
  EXPECT_TRUE(over());
  EXPECT_EQ(server_.finishes, 1);
}

TEST_F(Http1Server, AbortsAnExchangeWithoutProgress) {
  server_.options.idle_timeout = 50ms;
  start();
  write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
  for (int i = 0; i < 5; ++i) {
    run_for(20ms);
    write("a");  // progress
  }
  EXPECT_EQ(server_.aborts, 0);
  ASSERT_TRUE(run_until([&] { return server_.closes == 1; }));
  EXPECT_EQ(server_.aborts, 1);
  EXPECT_EQ(server_.abort_error->code, Code::timeout);
}

TEST_F(Http1Server, ClosesWhereThePeerNeverDoes) {
  server_.options.linger_timeout = 50ms;
  start();
  echo();
  write("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(run_until([&] { return server_.closes == 1; }));
  EXPECT_FALSE(server_.close_error);
}

TEST_F(Http1Server, ReadsNoMoreThanItsLimitOfACallerThatDoesNotStop) {
  server_.options.linger_bytes_max = 100'000;
  start();
  write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  server_.exchange->close_after();
  server_.reply(413, "too much");
  ASSERT_TRUE(run_until([&] { return server_.finishes == 1; }));
  for (int i = 0; i < 20; ++i) write(std::string(10'000, 'x'));
  EXPECT_TRUE(run_until([&] { return server_.closes == 1; }));
  EXPECT_TRUE(server_.close_error);
}

TEST_F(Http1Server, GoesOnReadingBehindAnEarlyResponse) {
  start();
  write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
  ASSERT_TRUE(run_until([&] { return server_.body == "abc"; }));
  server_.reply(200, "early");
  ASSERT_TRUE(got(ok("early")));
  EXPECT_EQ(server_.finishes, 0);
  write("def");
  ASSERT_TRUE(run_until([&] { return server_.finishes == 1; }));
  EXPECT_EQ(server_.body, "abcdef");
  EXPECT_EQ(server_.ends, 1);
  echo();
  write(get);
  EXPECT_TRUE(run_until([&] { return server_.finishes == 2; }));
}

TEST_F(Http1Server, AnEarlyResponseThatClosesArrivesThoughTheBodyIsNeverRead) {
  start();
  write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  server_.exchange->close_after();
  server_.reply(413, "too much");
  for (int i = 0; i < 10; ++i) {
    write(std::string(10000, 'a'));
    run_for(1ms);
  }
  EXPECT_EQ(server_.finishes, 1);
  EXPECT_EQ(server_.body, "");
  EXPECT_TRUE(
      got("HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much"));
  EXPECT_TRUE(over());
}

TEST_F(Http1Server, CloseAfterBehindAnEarlyResponseEndsTheExchange) {
  start();
  write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
  ASSERT_TRUE(run_until([&] { return server_.body == "abc"; }));
  server_.reply(200, "early");
  settle();
  server_.exchange->close_after();
  EXPECT_EQ(server_.finishes, 0) << "never inline";
  EXPECT_TRUE(run_until([&] { return server_.finishes == 1; }));
  EXPECT_TRUE(over());
}

TEST_F(Http1Server, AnswersACallerThatClosedItsHalf) {
  start();
  write(get);
  pair_->near.stream->end();
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  settle();
  EXPECT_EQ(server_.aborts, 0);
  server_.reply(200, "still here");
  EXPECT_TRUE(got(ok("still here")));
  EXPECT_TRUE(run_until([&] { return server_.closes == 1 && pair_->near.ends == 1; }));
}

TEST_F(Http1Server, ServesPipelinedRequestsOfACallerThatClosedItsHalf) {
  start();
  echo();
  write(str_cat(get, get, get));
  pair_->near.stream->end();
  EXPECT_TRUE(got(ok("GET / ") + ok("GET / ") + ok("GET / ")));
  EXPECT_TRUE(run_until([&] { return server_.closes == 1; }));
}

TEST_F(Http1Server, AbortsWhereTheCallerEndsWithinABody) {
  start();
  write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
  pair_->near.stream->end();
  ASSERT_TRUE(run_until([&] { return server_.closes == 1; }));
  EXPECT_EQ(server_.aborts, 1);
  EXPECT_EQ(server_.abort_error->code, Code::closed);
  EXPECT_EQ(server_.ends, 0);
}

// Nobody takes the body, so its end is not read; but it can be known that it will never be there.
TEST_F(Http1Server, AbortsWhereTheCallerEndsWithinABodyThatNobodyTakes) {
  server_.on = [&](std::string_view event) {
    if (event == "begins") server_.exchange->pause_body();
  };
  start();
  write(str_cat("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n", std::string(20'000, 'a')));
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  write(std::string(79'999, 'a'));
  pair_->near.stream->end();
  ASSERT_TRUE(run_until([&] { return server_.closes == 1; }));
  EXPECT_EQ(server_.aborts, 1);
  EXPECT_EQ(server_.abort_error->code, Code::closed);
  EXPECT_EQ(server_.ends, 0);
}

TEST_F(Http1Server, LeavesABodyThatNobodyTakesButIsOrMayBeWhole) {
  for (const std::string_view request :
       {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 30000\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7530\r\n"}) {
    ServerSide server(loop());
    server.on = [&](std::string_view event) {
      if (event == "begins") server.exchange->pause_body();
    };
    const auto pair = raw([&](std::unique_ptr<io::Stream> stream) { server.take(std::move(stream)); });
    const bool chunked = request.find("chunked") != std::string_view::npos;
    pair->near.stream->write(str_cat(request, std::string(10'000, 'a')));
    ASSERT_TRUE(run_until([&] { return server.begins == 1; }));
    settle();
    pair->near.stream->write(str_cat(std::string(20'000, 'a'), chunked ? "\r\n0\r\n\r\n" : ""));
    pair->near.stream->end();
    run_for(2500ms);
    EXPECT_EQ(server.aborts, 0) << request;
    server.exchange->resume_body();
    EXPECT_TRUE(run_until([&] { return server.ends == 1; })) << request;
    EXPECT_EQ(server.body.size(), 30'000u);
    server.reply(200, "ok");
    EXPECT_TRUE(run_until([&] { return pair->near.data == ok("ok"); }));
    EXPECT_TRUE(run_until([&] { return server.closes == 1; }));
  }
}

TEST_F(Http1Server, AbortsWhereTheCallerResetsThoughNobodyTakesItsBody) {
  server_.on = [&](std::string_view event) {
    if (event == "begins") server_.exchange->pause_body();
  };
  start();
  write(str_cat("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n", std::string(50, 'a')));
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  settle();
  pair_->near.stream->reset();
  pair_->near.stream.reset();
  ASSERT_TRUE(run_until([&] { return server_.closes == 1; }));
  EXPECT_EQ(server_.aborts, 1);
}

TEST_F(Http1Server, AbortsWhereTheCallerResets) {
  start();
  write(get);
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  pair_->near.stream->reset();
  pair_->near.stream.reset();
  ASSERT_TRUE(run_until([&] { return server_.closes == 1; }));
  EXPECT_EQ(server_.aborts, 1);
}

TEST_F(Http1Server, DrainingEndsAnIdleConnection) {
  start();
  settle();
  server_.connection->drain();
  EXPECT_EQ(server_.closes, 0) << "never inline";
  EXPECT_TRUE(over());
  EXPECT_FALSE(server_.close_error);
}

TEST_F(Http1Server, DrainingFinishesWhatIsUnderWay) {
  start();
  write(get);
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  server_.connection->drain();
  settle();
  server_.reply(200, "last");
  EXPECT_TRUE(got(ok("last", "Connection: close\r\n")));
  EXPECT_TRUE(over());
  EXPECT_EQ(server_.finishes, 1);
}

// A body that ends with its connection, and a tunnel, have no other end to be told by.
TEST_F(Http1Server, WhatItCannotSendInTimeDoesNotLookLikeTheEnd) {
  server_.options.idle_timeout = 60ms;
  start();
  write("GET / HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  pair_->near.stream->pause();
  server_.exchange->send_head(response(200), false);
  server_.exchange->send_body(std::string(8'000'000, 'x'));
  server_.exchange->send_end({});
  ASSERT_TRUE(run_until([&] { return server_.closes == 1; }));
  pair_->near.stream->resume();
  ASSERT_TRUE(run_until([&] { return pair_->near.over(); }));
  EXPECT_EQ(pair_->near.ends, 0);
  EXPECT_EQ(pair_->near.failures, 1);
}

TEST_F(Http1Server, ResetAbortsOnceAndLater) {
  start();
  write(get);
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  server_.exchange->reset(Error{Code::unavailable, "upstream broke"});
  server_.exchange->send_head(response(200), true);  // too late, and harmless
  server_.exchange->reset(Error{Code::internal, "again"});
  EXPECT_EQ(server_.aborts, 0) << "never inline";
  ASSERT_TRUE(run_until([&] { return server_.closes == 1 && pair_->near.over(); }));
  EXPECT_EQ(server_.aborts, 1);
  EXPECT_EQ(server_.abort_error->message, "upstream broke");
  EXPECT_EQ(got(), "");
}

TEST_F(Http1Server, CloseAbortsTheExchangeThenTheConnection) {
  start();
  write(get);
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  server_.connection->close(Error{Code::closed, "certificate expired"});
  EXPECT_EQ(server_.aborts + server_.closes, 0) << "never inline";
  ASSERT_TRUE(run_until([&] { return server_.closes == 1; }));
  EXPECT_EQ(server_.aborts, 1);
  EXPECT_EQ(server_.close_error->message, "certificate expired");
}

// Whatever callback the owner destroys the connection in, nothing more is called and nothing breaks.
TEST_F(Http1Server, MayBeDestroyedInAnyCallback) {
  for (const std::string_view moment : {"begins", "body", "end", "finished", "aborted", "closed"}) {
    for (const bool answers_first : {false, true}) {
      ServerSide server(loop());
      const auto pair = raw([&](std::unique_ptr<io::Stream> stream) { server.take(std::move(stream)); });
      int events_after = 0;
      server.on = [&](std::string_view event) {
        if (server.connection == nullptr) ++events_after;
        if (event == "begins" && (answers_first || moment == "finished")) server.reply(200, "x");
        if (event == "end" && (moment == "aborted" || moment == "closed")) {
          server.connection->close(Error{Code::closed, "enough"});
        }
        if (event == moment) server.connection.reset();
      };
      pair->near.stream->write(
          "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
      if (moment == "finished") pair->near.stream->write(get);
      const bool gone = run_until([&] { return server.connection == nullptr; });
      EXPECT_TRUE(gone || (answers_first && moment == "aborted")) << moment;
      settle();
      EXPECT_EQ(events_after, 0) << moment;
    }
  }
}

// Whoever is to answer has a limit of its own, and can say what happened.
TEST_F(Http1Server, WhoWaitsForALateAnswerIsNotCutOffInTheMomentInWhichItIsGivenUp) {
  server_.options.idle_timeout = 500ms;
  start();
  write(get);
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  run_for(600ms);
  ASSERT_EQ(server_.aborts, 0);
  server_.reply(504, "late");
  EXPECT_TRUE(run_until([&] { return got().ends_with("late"); }));
}

TEST_F(Http1Server, AHeadThatHasBegunIsNotTakenFromWhomNoMoreIsTaken) {
  start();
  write(get.substr(0, 10));
  settle();
  server_.connection->refuse_new();
  write(get.substr(10));
  EXPECT_TRUE(over());
  EXPECT_EQ(server_.begins, 0);
}

}  // namespace
}  // namespace weft::http
