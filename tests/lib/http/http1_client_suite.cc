#include "tests/lib/http/http1_fixture.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

class Http1Client : public Http1RawSuite {
 protected:
  void start() {
    pair_ = raw([&](std::unique_ptr<io::Stream> stream) { client_.take(std::move(stream)); });
  }
  void reply(std::string_view bytes) { write(bytes); }
  bool finished(int count = 1) {
    return run_until([&] { return client_.finishes == count; });
  }

  ClientSide client_{loop()};
};

constexpr std::string_view plain = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_F(Http1Client, SendsOneRequestAfterTheOther) {
  start();
  ASSERT_TRUE(client_.connection->available());
  client_.send(request("GET", "/1", {{"X-Case", "Kept"}, {"b", "2"}}), true);
  EXPECT_FALSE(client_.connection->available());
  ASSERT_TRUE(got("GET /1 HTTP/1.1\r\nHost: h\r\nX-Case: Kept\r\nb: 2\r\n\r\n"));
  reply("HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-Y: z\r\nConnection: x-gone\r\nX-Gone: 1\r\n\r\nok");
  ASSERT_TRUE(finished());
  EXPECT_EQ(client_.head.reason, "Fine");
  EXPECT_EQ(describe(client_.head.headers), "Content-Length: 2\nX-Y: z\n");
  EXPECT_EQ(client_.body, "ok");
  EXPECT_EQ(client_.ends, 1);
  EXPECT_EQ(client_.availables, 1);
  ASSERT_TRUE(client_.connection->available());
  client_.send(request("GET", "/2"), true);
  ASSERT_TRUE(run_until([&] { return got().ends_with("GET /2 HTTP/1.1\r\nHost: h\r\n\r\n"); }));
  reply("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(finished(2));
  EXPECT_TRUE(client_.no_body);
  EXPECT_EQ(client_.ends, 1);
}

TEST_F(Http1Client, TakesAResponseByteByByte) {
  start();
  client_.send(request("GET", "/"), true);
  settle();
  for (const char c :
       std::string_view("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nT: u\r\n\r\n")) {
    reply({&c, 1});
    run_for(1ms);
  }
  ASSERT_TRUE(finished());
  EXPECT_EQ(client_.interim, std::vector<int>{103});
  EXPECT_EQ(client_.body, "abcd");
  EXPECT_EQ(describe(client_.trailers), "T: u\n");
}

TEST_F(Http1Client, FramesARequestBody) {
  start();
  client_.send(request("POST", "/"), false);
  client_.exchange->send_body("hello");
  codec::Headers trailers;
  trailers.add("T", "u");
  client_.exchange->send_end(trailers);
  const std::string first =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: u\r\n\r\n";
  ASSERT_TRUE(got(first));
  reply(ok);
  ASSERT_TRUE(finished());
  client_.send(request("PUT", "/", {{"Content-Length", "3"}}), false);
  client_.exchange->send_body("abc");
  client_.exchange->send_end({});
  const std::string second = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  ASSERT_TRUE(got(first + second));
  reply(ok);
  ASSERT_TRUE(finished(2));
  client_.send(request("POST", "/"), true);
  EXPECT_TRUE(got(first + second + "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"));
}

TEST_F(Http1Client, AWrongContentLengthNeverCompletesARequest) {
  for (const std::string_view body : {"ab", "abcd"}) {
    ClientSide client(loop());
    const auto pair = raw([&](std::unique_ptr<io::Stream> stream) { client.take(std::move(stream)); });
    client.send(request("PUT", "/", {{"Content-Length", "3"}}), false);
    settle();
    client.exchange->send_body(body);
    client.exchange->send_end({});
    EXPECT_EQ(client.aborts, 0) << "never inline";
    ASSERT_TRUE(run_until([&] { return client.closes == 1 && pair->near.over(); }));
    EXPECT_EQ(client.abort_error->code, Code::invalid);
    EXPECT_FALSE(pair->near.data.ends_with("abcd"));
  }
}

TEST_F(Http1Client, ReadsNoBodyBehindHead) {
  start();
  client_.send(request("HEAD", "/"), true);
  settle();
  reply("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  ASSERT_TRUE(finished());
  EXPECT_TRUE(client_.no_body);
  EXPECT_TRUE(client_.connection->available());
}

TEST_F(Http1Client, ReadsUpToTheCloseWhereNothingElseDelimits) {
  start();
  client_.send(request("GET", "/"), true);
  settle();
  reply("HTTP/1.0 200 OK\r\n\r\nall there is");
  pair_->near.stream->end();
  ASSERT_TRUE(run_until([&] { return client_.closes == 1; }));
  EXPECT_EQ(client_.finishes, 1);
  EXPECT_EQ(client_.body, "all there is");
  EXPECT_FALSE(client_.close_error);
}

TEST_F(Http1Client, ClosesBehindAResponseThatSaysSo) {
  start();
  client_.send(request("GET", "/"), true);
  settle();
  reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  ASSERT_TRUE(run_until([&] { return client_.closes == 1; }));
  EXPECT_EQ(client_.finishes, 1);
  EXPECT_EQ(client_.availables, 0);
  EXPECT_FALSE(client_.close_error);
}

TEST_F(Http1Client, APeerThatClosesInsteadOfRespondingMayHaveReadTheRequest) {
  start();
  client_.send(request("GET", "/"), true);
  ASSERT_TRUE(got(plain));
  pair_->near.stream->end();
  ASSERT_TRUE(run_until([&] { return client_.closes == 1; }));
  EXPECT_EQ(client_.aborts, 1);
  EXPECT_EQ(client_.abort_error->code, Code::closed);
  EXPECT_EQ(client_.delivery, Delivery::maybe);
}

TEST_F(Http1Client, APeerThatResetsMayHaveReadTheRequest) {
  start();
  client_.send(request("GET", "/"), true);
  ASSERT_TRUE(got(plain));
  pair_->near.stream->reset();
  pair_->near.stream.reset();
  ASSERT_TRUE(run_until([&] { return client_.closes == 1; }));
  EXPECT_EQ(client_.delivery, Delivery::maybe);
}

TEST_F(Http1Client, SeesTheCloseOfAnIdleConnection) {
  start();
  settle();
  pair_->near.stream->end();
  ASSERT_TRUE(run_until([&] { return client_.closes == 1; }));
  EXPECT_FALSE(client_.close_error);
}

TEST_F(Http1Client, ARequestOnAConnectionThatIsGoneWasNeverDelivered) {
  start();
  settle();
  client_.connection->drain();
  EXPECT_FALSE(client_.connection->available());
  client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([&] { return client_.closes == 1; }));
  EXPECT_EQ(client_.aborts, 1);
  EXPECT_EQ(client_.delivery, Delivery::never);
  settle();
  EXPECT_EQ(got(), "");
}

TEST_F(Http1Client, ARequestGivenUpBeforeAnyByteLeftWasNeverDelivered) {
  start();
  settle();
  client_.send(request("POST", "/"), false);
  client_.exchange->send_body("small");
  client_.connection->close(Error{Code::closed, "the endpoint is gone"});
  EXPECT_EQ(client_.aborts, 0) << "never inline";
  ASSERT_TRUE(run_until([&] { return client_.closes == 1; }));
  EXPECT_EQ(client_.delivery, Delivery::never);
  EXPECT_EQ(client_.abort_error->message, "the endpoint is gone");
  ASSERT_TRUE(run_until([&] { return pair_->near.over(); }));
  EXPECT_EQ(got(), "");
}

TEST_F(Http1Client, ARequestGivenUpAfterAByteLeftMayHaveBeenDelivered) {
  start();
  client_.send(request("GET", "/"), true);
  ASSERT_TRUE(got(plain));
  client_.connection->close(Error{Code::closed, "enough"});
  ASSERT_TRUE(run_until([&] { return client_.closes == 1; }));
  EXPECT_EQ(client_.delivery, Delivery::maybe);
}

TEST_F(Http1Client, AbortsOnATruncatedOrInvalidResponse) {
  struct {
    std::string_view bytes;
    Code code;
  } const rows[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", Code::closed},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Code::closed},
      {"HTTP/1.1 200 OK\r\nCont", Code::closed},
      {"HTTP/1.1 100 Continue\r\n\r\n", Code::closed},
      {"SSH-2.0-OpenSSH\r\n\r\n", Code::invalid},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", Code::invalid},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Code::invalid},
  };
  for (const auto& row : rows) {
    ClientSide client(loop());
    const auto pair = raw([&](std::unique_ptr<io::Stream> stream) { client.take(std::move(stream)); });
    client.send(request("GET", "/"), true);
    settle();
    pair->near.stream->write(row.bytes);
    pair->near.stream->end();
    ASSERT_TRUE(run_until([&] { return client.closes == 1; })) << row.bytes;
    EXPECT_EQ(client.aborts, 1) << row.bytes;
    EXPECT_EQ(client.abort_error->code, row.code) << row.bytes << client.abort_error->message;
    EXPECT_EQ(client.delivery, Delivery::maybe);
  }
}

TEST_F(Http1Client, BytesThatAnswerNothingEndTheConnection) {
  start();
  client_.send(request("GET", "/"), true);
  settle();
  reply(std::string(ok) + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  ASSERT_TRUE(run_until([&] { return client_.closes == 1; }));
  EXPECT_EQ(client_.finishes, 1);
  EXPECT_EQ(client_.body, "ok");
  EXPECT_EQ(client_.availables, 0);

  ClientSide idle(loop());
  const auto pair = raw([&](std::unique_ptr<io::Stream> stream) { idle.take(std::move(stream)); });
  pair->near.stream->write(ok);
  ASSERT_TRUE(run_until([&] { return idle.closes == 1; }));
  EXPECT_EQ(idle.close_error->code, Code::invalid);
}

TEST_F(Http1Client, AnEarlyResponseWaitsForTheRequest) {
  start();
  client_.send(request("POST", "/"), false);
  client_.exchange->send_body("a");
  settle();
  reply(ok);
  ASSERT_TRUE(run_until([&] { return client_.ends == 1; }));
  settle();
  EXPECT_EQ(client_.finishes, 0);
  client_.exchange->send_end({});
  EXPECT_EQ(client_.finishes, 0) << "never inline";
  ASSERT_TRUE(finished());
  EXPECT_TRUE(client_.connection->available());
}

TEST_F(Http1Client, AnEarlyResponseFromAPeerThatClosesFinishes) {
  for (const bool says_close : {true, false}) {
    ClientSide client(loop());
    const auto pair = raw([&](std::unique_ptr<io::Stream> stream) { client.take(std::move(stream)); });
    client.send(request("POST", "/"), false);
    settle();
    pair->near.stream->write(str_cat("HTTP/1.1 413 No\r\nContent-Length: 2\r\n",
                                     says_close ? "Connection: close\r\n" : "", "\r\nno"));
    if (!says_close) pair->near.stream->end();
    ASSERT_TRUE(run_until([&] { return client.closes == 1; }));
    EXPECT_EQ(client.finishes, 1);
    EXPECT_EQ(client.head.status, 413);
    EXPECT_EQ(client.body, "no");
  }
}

TEST_F(Http1Client, CancelSaysNothingMoreAndClosesTheConnection) {
  start();
  client_.send(request("POST", "/"), false);
  settle();
  reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  ASSERT_TRUE(run_until([&] { return client_.body == "abc"; }));
  client_.exchange->cancel();
  client_.open = false;
  EXPECT_EQ(client_.closes, 0) << "never inline";
  ASSERT_TRUE(run_until([&] { return client_.closes == 1 && pair_->near.over(); }));
  EXPECT_EQ(client_.aborts + client_.finishes, 0);
}

TEST_F(Http1Client, AnUpgradeBecomesTwoByteStreams) {
  start();
  client_.send(request("GET", "/chat", {{"Upgrade", "websocket"}}), false);
  ASSERT_TRUE(got("GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"));
  EXPECT_FALSE(client_.exchange->writable());
  client_.on = [&](std::string_view event) {
    if (event == "drained" && client_.heads == 1 && client_.drains == 1) client_.exchange->send_body("up");
  };
  reply("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\ndown");
  ASSERT_TRUE(run_until([&] { return got().ends_with("\r\n\r\nup"); }));
  EXPECT_EQ(client_.head.status, 101);
  EXPECT_EQ(describe(client_.head.headers), "Upgrade: websocket\n");
  EXPECT_EQ(client_.body, "down");
  pair_->near.stream->end();
  ASSERT_TRUE(run_until([&] { return client_.ends == 1; }));
  EXPECT_EQ(client_.finishes, 0);
  const std::string last(200000, 'x');
  client_.exchange->send_body(last);
  client_.exchange->send_end({});
  ASSERT_TRUE(run_until([&] { return client_.closes == 1 && pair_->near.ends == 1; }));
  EXPECT_EQ(client_.finishes, 1);
  EXPECT_TRUE(got().ends_with("up" + last)) << "the end of a tunnel was lost: " << got().size();
}

TEST_F(Http1Client, ARefusedUpgradeKeepsTheConnection) {
  start();
  client_.send(request("GET", "/chat", {{"Upgrade", "websocket"}}), false);
  settle();
  reply("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  ASSERT_TRUE(run_until([&] { return client_.ends == 1; }));
  client_.exchange->send_end({});
  ASSERT_TRUE(finished());
  EXPECT_TRUE(client_.connection->available());
}

TEST_F(Http1Client, ConnectBecomesATunnelBy2xx) {
  start();
  codec::RequestHead head = request("CONNECT", "there:443");
  head.authority = "there:443";
  client_.send(head, false);
  ASSERT_TRUE(got("CONNECT there:443 HTTP/1.1\r\nHost: there:443\r\n\r\n"));
  reply("HTTP/1.1 200 OK\r\n\r\nraw");
  ASSERT_TRUE(run_until([&] { return client_.body == "raw"; }));
  client_.exchange->send_body("up");
  client_.exchange->send_end({});
  ASSERT_TRUE(run_until([&] { return pair_->near.ends == 1; }));
  EXPECT_TRUE(got().ends_with("\r\n\r\nup"));
  EXPECT_EQ(client_.finishes, 0);
  pair_->near.stream->end();
  EXPECT_TRUE(run_until([&] { return client_.finishes == 1 && client_.closes == 1; }));
}

TEST_F(Http1Client, TheEndOfATunnelWaitsWhileItsBodyIsPaused) {
  start();
  client_.on = [&](std::string_view event) {
    if (event == "head") client_.exchange->pause_body();
  };
  client_.send(request("CONNECT", "there:443"), false);
  settle();
  reply("HTTP/1.1 200 OK\r\n\r\n");
  pair_->near.stream->end();
  settle();
  EXPECT_EQ(client_.ends, 0);
  client_.exchange->resume_body();
  EXPECT_TRUE(run_until([&] { return client_.ends == 1; }));
}

TEST_F(Http1Client, DrainingFinishesWhatIsUnderWay) {
  start();
  client_.send(request("GET", "/"), true);
  settle();
  client_.connection->drain();
  settle();
  EXPECT_EQ(client_.closes, 0);
  reply(ok);
  ASSERT_TRUE(run_until([&] { return client_.closes == 1; }));
  EXPECT_EQ(client_.finishes, 1);
  EXPECT_FALSE(client_.close_error);
}

TEST_F(Http1Client, RetiresBeforeThePeersOwnLimit) {
  start();
  EXPECT_EQ(client_.connection->idle_limit(60s), 60s);
  client_.send(request("GET", "/"), true);
  settle();
  reply("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: max=3, timeout=5\r\n\r\n");
  ASSERT_TRUE(finished());
  EXPECT_EQ(client_.connection->idle_limit(60s), 4s);
  EXPECT_EQ(client_.connection->idle_limit(3s), 3s);
}

TEST_F(Http1Client, AbortsAnExchangeWithoutProgress) {
  client_.options.idle_timeout = 50ms;
  start();
  run_for(100ms);
  EXPECT_EQ(client_.closes, 0) << "an idle connection is its pool's affair";
  client_.send(request("GET", "/"), true);
  ASSERT_TRUE(run_until([&] { return client_.closes == 1; }));
  EXPECT_EQ(client_.abort_error->code, Code::timeout);
}

TEST_F(Http1Client, APausedBodyWaitsAndLosesNothing) {
  start();
  client_.on = [&](std::string_view event) {
    if (event == "body") client_.exchange->pause_body();
  };
  client_.send(request("GET", "/"), true);
  settle();
  std::string chunks;
  for (int i = 0; i < 50; ++i) chunks += "1\r\na\r\n";
  reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n");
  pair_->near.stream->end();
  for (std::size_t i = 1; i <= 50; ++i) {
    ASSERT_TRUE(run_until([&] { return client_.body.size() == i; }));
    client_.exchange->resume_body();
    EXPECT_EQ(client_.body.size(), i) << "never inline";
  }
  EXPECT_TRUE(run_until([&] { return client_.finishes == 1 && client_.closes == 1; }));
}

TEST_F(Http1Client, TellsTheProducerWhenThePeerReadsAgain) {
  start();
  pair_->near.stream->pause();
  client_.send(request("POST", "/"), false);
  for (int i = 0; i < 2000 && client_.exchange->writable(); ++i) {
    client_.exchange->send_body(std::string(64 * 1024, 'b'));
    run_for(1ms);
  }
  ASSERT_FALSE(client_.exchange->writable());
  pair_->near.stream->resume();
  EXPECT_TRUE(run_until([&] { return client_.drains == 1; }));
}

TEST_F(Http1Client, MayBeDestroyedInAnyCallback) {
  for (const std::string_view moment :
       {"head", "body", "end", "finished", "available", "aborted", "closed"}) {
    ClientSide client(loop());
    const auto pair = raw([&](std::unique_ptr<io::Stream> stream) { client.take(std::move(stream)); });
    int events_after = 0;
    client.on = [&](std::string_view event) {
      if (client.connection == nullptr) ++events_after;
      if (event == "end" && (moment == "aborted" || moment == "closed")) {
        client.connection->close(Error{Code::closed, "enough"});
      }
      if (event == moment) client.connection.reset();
    };
    client.send(request("GET", "/"), true);
    settle();
    pair->near.stream->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
    EXPECT_TRUE(run_until([&] { return client.connection == nullptr; })) << moment;
    settle();
    EXPECT_EQ(events_after, 0) << moment;
  }
}

}  // namespace
}  // namespace weft::http
