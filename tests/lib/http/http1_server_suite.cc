// What an HTTP/1 server makes of a caller's bytes, and sends.
#include "base/limits.h"
#include "tests/lib/http/http1_server_fixture.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

TEST_F(Http1Server, AnswersOneRequestAfterTheOther) {
  start();
  echo();
  write(get);
  ASSERT_TRUE(got(ok("GET / ")));
  write("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_TRUE(got(ok("GET / ") + ok("POST /x abc")));
  EXPECT_EQ(server_.finishes, 2);
  EXPECT_TRUE(server_.connection->idle());
  pair_->near.stream->end();
  EXPECT_TRUE(over());
  EXPECT_FALSE(server_.close_error);
}

TEST_F(Http1Server, BeginsWithTheBytesThatADetectorRead) {
  start(std::string(get).substr(0, 10));
  echo();
  write(std::string(get).substr(10));
  EXPECT_TRUE(got(ok("GET / ")));
}

TEST_F(Http1Server, HandsUpPipelinedRequestsOneAtATime) {
  start();
  write(
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\naGET /3 "
      "HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  settle();
  EXPECT_EQ(server_.begins, 1);
  echo();
  server_.reply(200, "one");
  EXPECT_TRUE(got(ok("one") + ok("POST /2 a") + ok("GET /3 ")));
  EXPECT_EQ(server_.finishes, 3);
}

TEST_F(Http1Server, TakesEveryRequestByteByByte) {
  start();
  echo();
  const std::string bytes =
      "POST /1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: "
      "u\r\n\r\n\r\n"
      "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const char c : bytes) {
    write({&c, 1});
    run_for(1ms);
  }
  EXPECT_TRUE(got(ok("POST /1 abcde") + ok("GET /2 ")));
  EXPECT_EQ(describe(server_.trailers), "T: u\n");
}

TEST_F(Http1Server, ClosesWhereTheCallerSaysClose) {
  start();
  echo();
  write("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(got(ok("GET / ", "Connection: close\r\n")));
  EXPECT_TRUE(over());
  EXPECT_EQ(server_.begins, 1);
}

TEST_F(Http1Server, KeepsHttp10OnlyWhereAsked) {
  start();
  echo();
  write("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(got(ok("GET /a ", "Connection: keep-alive\r\n")));
  write("GET /b HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(got(ok("GET /a ", "Connection: keep-alive\r\n") + ok("GET /b ", "Connection: close\r\n")));
  EXPECT_TRUE(over());
}

TEST_F(Http1Server, ChunksABodyOfUnknownLengthAndSendsTrailers) {
  start();
  write(get);
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  server_.exchange->send_head(response(200, {{"X-Case", "Kept"}}), false);
  server_.exchange->send_body("hello");
  server_.exchange->send_body("");
  server_.exchange->send_body("0123456789abcdef");
  codec::Headers trailers;
  trailers.add("X-Sum", "1");
  trailers.add("Content-Length", "5");
  server_.exchange->send_end(trailers);
  EXPECT_TRUE(
      got("HTTP/1.1 200 OK\r\nX-Case: Kept\r\nTransfer-Encoding: chunked\r\n\r\n"
          "5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\n\r\n"));
}

TEST_F(Http1Server, DelimitsByTheCloseForHttp10) {
  start();
  write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  server_.exchange->send_head(response(200), false);
  server_.exchange->send_body("all there is");
  server_.exchange->send_end({});
  EXPECT_TRUE(got("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall there is"));
  EXPECT_TRUE(over());
}

TEST_F(Http1Server, SendsNoBodyWhereThereIsNone) {
  struct {
    std::string_view method;
    int status;
    std::string_view length, expected;
  } const rows[] = {
      {"HEAD", 200, "5", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
      {"HEAD", 200, "", "HTTP/1.1 200 OK\r\n\r\n"},
      {"GET", 304, "5", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
      {"GET", 204, "5", "HTTP/1.1 204 No Content\r\n\r\n"},
  };
  start();
  std::string all;
  for (const auto& row : rows) {
    for (const bool end : {true, false}) {
      const int before = server_.begins;
      write(str_cat(row.method, " / HTTP/1.1\r\nHost: h\r\n\r\n"));
      ASSERT_TRUE(run_until([&] { return server_.begins > before; }));
      codec::ResponseHead head = response(row.status);
      if (!row.length.empty()) head.headers.add("Content-Length", row.length);
      server_.exchange->send_head(head, end);
      if (!end) {
        server_.exchange->send_body("hello");
        server_.exchange->send_end({});
      }
      all += row.expected;
      ASSERT_TRUE(got(all));
    }
  }
}

TEST_F(Http1Server, HandsUpOnlyEndToEndFields) {
  start();
  write(
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: x-mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: "
      "trailers, x\r\n"
      "Upgrade: h2c\r\nX-Theirs: 2\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  EXPECT_EQ(describe(server_.head.headers), "TE: trailers\nX-Theirs: 2\n");
  EXPECT_EQ(server_.head.authority, "h");
}

class Refusals final : public RefusalHandler {
 public:
  void request_refused(const codec::Http1Error& error, codec::ResponseHead& reply) override {
    seen.push_back(error.status);
    reply.headers.add("x-weft-error", "bad-request");
  }
  void request_reset(std::string_view) override {}
  std::vector<int> seen;
};

TEST_F(Http1Server, RefusesABadHeadAndTellsTheHook) {
  Refusals refusals;
  server_.options.refusals = &refusals;
  start();
  write("GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n");
  EXPECT_TRUE(
      got("HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 26\r\n"
          "x-weft-error: bad-request\r\nConnection: close\r\n\r\nspace in front of a colon\n"));
  EXPECT_EQ(refusals.seen, std::vector<int>{400});
  EXPECT_TRUE(over());
  EXPECT_EQ(server_.begins, 0);
}

TEST_F(Http1Server, RefusesABadBodyAfterAbortingTheExchange) {
  start();
  write("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n");
  ASSERT_TRUE(run_until([&] { return pair_->near.ends == 1; }));
  EXPECT_TRUE(got().starts_with("HTTP/1.1 400 ")) << got();
  EXPECT_EQ(server_.aborts, 1);
  EXPECT_EQ(server_.abort_error->code, Code::invalid);
  EXPECT_TRUE(over());
}

TEST_F(Http1Server, ABadBodyBehindTheBeginningOfAResponseClosesWithoutCompletingIt) {
  start();
  write("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  server_.exchange->send_head(response(200), false);
  settle();
  write("x\r\n");
  ASSERT_TRUE(run_until([&] { return pair_->near.over() && server_.closes == 1; }));
  EXPECT_EQ(got(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(server_.aborts, 1);
}

TEST_F(Http1Server, AnUpgradeBecomesTwoByteStreams) {
  start();
  write("GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly bird");
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  EXPECT_FALSE(server_.no_body);
  EXPECT_EQ(describe(server_.head.headers), "Upgrade: websocket\n");
  settle();
  EXPECT_EQ(server_.body, "");
  server_.exchange->send_head(response(101, {{"Upgrade", "websocket"}}), false);
  server_.exchange->send_body("down");
  ASSERT_TRUE(run_until([&] { return server_.body == "early bird"; }));
  EXPECT_TRUE(
      got("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\ndown"));
  write(" up");
  pair_->near.stream->end();
  ASSERT_TRUE(run_until([&] { return server_.ends == 1; }));
  EXPECT_EQ(server_.body, "early bird up");
  EXPECT_EQ(server_.finishes, 0);
  server_.exchange->send_body(std::string(200000, 'x'));
  server_.exchange->send_end({});
  ASSERT_TRUE(run_until([&] { return server_.closes == 1 && pair_->near.ends == 1; }));
  EXPECT_EQ(server_.finishes, 1);
  EXPECT_TRUE(got().ends_with("downxxx") || got().ends_with(std::string(200000, 'x')));
}

TEST_F(Http1Server, ARefusedUpgradeIsAnOrdinaryRequest) {
  start();
  server_.on = [&](std::string_view event) {
    if (event == "begins" && server_.begins == 1) server_.reply(403, "no");
  };
  write("GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_TRUE(got("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"));
  EXPECT_TRUE(run_until([&] { return server_.finishes == 1; }));
  EXPECT_EQ(server_.ends, 1);
  write(get);
  EXPECT_TRUE(run_until([&] { return server_.begins == 2; }));
}

TEST_F(Http1Server, ConnectBecomesATunnelBy2xx) {
  start();
  write("CONNECT there:443 HTTP/1.1\r\nHost: there:443\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  EXPECT_EQ(server_.head.authority, "there:443");
  server_.exchange->send_head(response(200), false);
  write("raw");
  ASSERT_TRUE(run_until([&] { return server_.body == "raw"; }));
  server_.exchange->send_end({});
  EXPECT_TRUE(run_until([&] { return pair_->near.ends == 1; }));
  EXPECT_EQ(got(), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(server_.finishes, 0) << "the caller's half is open";
  pair_->near.stream->end();
  EXPECT_TRUE(run_until([&] { return server_.finishes == 1 && server_.closes == 1; }));
}

TEST_F(Http1Server, TheEndOfATunnelWaitsWhileItsBodyIsPaused) {
  start();
  write("CONNECT there:443 HTTP/1.1\r\nHost: there:443\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  server_.exchange->send_head(response(200), false);
  server_.exchange->pause_body();
  pair_->near.stream->end();
  settle();
  EXPECT_EQ(server_.ends, 0);
  server_.exchange->resume_body();
  EXPECT_TRUE(run_until([&] { return server_.ends == 1; }));
}

TEST_F(Http1Server, LeavesExpectToTheUpstreamUnlessToldToAnswer) {
  const std::string_view put =
      "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  start();
  write(put);
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  EXPECT_EQ(describe(server_.head.headers), "Content-Length: 2\nExpect: 100-continue\n");
  settle();
  EXPECT_EQ(got(), "");
  server_.exchange->send_head(response(100), false);
  EXPECT_TRUE(got("HTTP/1.1 100 Continue\r\n\r\n"));

  ServerSide answering(loop());
  answering.options.answer_expect = true;
  const auto pair = raw([&](std::unique_ptr<io::Stream> stream) { answering.take(std::move(stream)); });
  pair->near.stream->write(put);
  ASSERT_TRUE(run_until([&] { return pair->near.data == "HTTP/1.1 100 Continue\r\n\r\n"; }));
  EXPECT_EQ(describe(answering.head.headers), "Content-Length: 2\n");
}

TEST_F(Http1Server, SendsInterimHeadsButNotToHttp10) {
  start();
  server_.on = [&](std::string_view event) {
    if (event != "begins") return;
    server_.exchange->send_head(response(103, {{"Link", "</a>"}}), false);
    server_.reply(200, "x");
  };
  write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(got(ok("x", "Connection: keep-alive\r\n")));
  write(get);
  EXPECT_TRUE(got(ok("x", "Connection: keep-alive\r\n") + "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" +
                  ok("x")));
}

TEST_F(Http1Server, APausedBodyWaitsAndLosesNothing) {
  start();
  server_.on = [&](std::string_view event) {
    if (event == "body") server_.exchange->pause_body();
  };
  std::string chunks;
  for (int i = 0; i < 50; ++i) chunks += "1\r\na\r\n";
  write("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n");
  pair_->near.stream->end();
  ASSERT_TRUE(run_until([&] { return server_.body.size() == 1; }));
  settle();
  EXPECT_EQ(server_.body.size(), 1u);
  for (std::size_t i = 2; i <= 50; ++i) {
    server_.exchange->resume_body();
    EXPECT_EQ(server_.body.size(), i - 1) << "never inline";
    ASSERT_TRUE(run_until([&] { return server_.body.size() == i; }));
  }
  server_.exchange->resume_body();
  EXPECT_TRUE(run_until([&] { return server_.ends == 1; }));
}

TEST_F(Http1Server, APausedBodyStopsTheCaller) {
  start();
  write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  server_.exchange->pause_body();
  std::size_t written = 0;
  for (int i = 0; i < 2000 && pair_->near.stream->writable(); ++i) {
    write(std::string(64 * 1024, 'a'));
    written += 64 * 1024;
    run_for(1ms);
  }
  EXPECT_FALSE(pair_->near.stream->writable()) << written << " bytes were taken by a reader that is paused";
  EXPECT_EQ(server_.body, "");
}

TEST_F(Http1Server, TellsTheProducerWhenTheCallerReadsAgain) {
  start();
  write(get);
  ASSERT_TRUE(run_until([&] { return server_.begins == 1; }));
  pair_->near.stream->pause();
  server_.exchange->send_head(response(200), false);
  std::size_t sent = 0;
  for (int i = 0; i < 2000 && server_.exchange->writable(); ++i) {
    server_.exchange->send_body(std::string(64 * 1024, 'b'));
    sent += 64 * 1024;
    run_for(1ms);
  }
  ASSERT_FALSE(server_.exchange->writable());
  EXPECT_EQ(server_.drains, 0);
  pair_->near.stream->resume();
  ASSERT_TRUE(run_until([&] { return server_.drains == 1; }));
  EXPECT_TRUE(server_.exchange->writable());
  server_.exchange->send_end({});
  ASSERT_TRUE(run_until([&] { return server_.finishes == 1 && got().ends_with("\r\n0\r\n\r\n"); }));
  EXPECT_GT(got().size(), sent);
}

TEST_F(Http1Server, WhoDoesNotReadItsAnswersIsNotAskedForMoreRequests) {
  start();
  server_.on = [&](std::string_view event) {
    if (event == "begins") server_.exchange->send_head(response(204, {{"X", std::string(4000, 'x')}}), true);
  };
  pair_->near.stream->pause();
  constexpr int batches = 100, in_each = 100;
  std::string many;
  for (int i = 0; i < in_each; ++i) many += get;
  for (int i = 0; i < batches; ++i) {
    write(many);
    run_for(1ms);
  }
  EXPECT_LT(server_.begins, batches * in_each);
  EXPECT_LT(server_.connection->stream().queued_bytes(), 2 * limits::write_high_bytes);
  pair_->near.stream->resume();
  EXPECT_TRUE(run_until([&] { return server_.begins == batches * in_each; }));
  EXPECT_EQ(server_.finishes, server_.begins);
}

TEST_F(Http1Server, NeverCompletesABodyOfTheWrongLength) {
  for (const std::string_view body : {"ab", "abcd"}) {
    ServerSide server(loop());
    const auto pair = raw([&](std::unique_ptr<io::Stream> stream) { server.take(std::move(stream)); });
    pair->near.stream->write(get);
    ASSERT_TRUE(run_until([&] { return server.begins == 1; }));
    server.exchange->send_head(response(200, {{"Content-Length", "3"}}), false);
    server.exchange->send_body(body);
    server.exchange->send_end({});
    ASSERT_TRUE(run_until([&] { return server.closes == 1 && pair->near.over(); }));
    EXPECT_EQ(server.aborts, 1);
    EXPECT_EQ(server.abort_error->code, Code::internal);
    EXPECT_FALSE(pair->near.data.ends_with("abcd"));
  }
}

}  // namespace
}  // namespace weft::http
