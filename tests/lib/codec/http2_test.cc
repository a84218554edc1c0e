#include "codec/http2.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"
#include "tests/lib/codec/http2_recorder.h"

namespace weft::codec {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

struct Pair {
  explicit Pair(const Http2Options& server_options = {})
      : server(Http2Session::Role::server, at_server, server_options) {
    at_client.session = &client;
    at_server.session = &server;
  }

  // Carries bytes both ways until nothing moves; `cut` is how many at a time.
  void run(std::size_t cut = std::string::npos) {
    for (bool moved = true; moved;) {
      moved = carry(client, server, cut);
      moved = carry(server, client, cut) || moved;
    }
  }
  bool carry(Http2Session& from, Http2Session& to, std::size_t cut) const {
    const std::string bytes = drain(from);
    for (std::string_view rest = bytes; !rest.empty(); rest.remove_prefix(std::min(cut, rest.size()))) {
      to.feed(rest.substr(0, cut), now);
    }
    return !bytes.empty();
  }

  Recorder at_client;
  Recorder at_server;
  MonotonicTime now{};
  Http2Session client{Http2Session::Role::client, at_client};
  Http2Session server;
};

RequestHead post(std::string_view path = "/a.B/C") {
  RequestHead head;
  head.method = "POST";
  head.target = path;
  head.authority = "ca:15012";
  head.scheme = "https";
  head.headers.add("te", "trailers");
  return head;
}

ResponseHead ok() {
  ResponseHead head;
  head.status = 200;
  head.headers.add("content-type", "application/grpc");
  return head;
}

Headers trailers() {
  Headers headers;
  headers.add("grpc-status", "0");
  return headers;
}

void exchange_one(std::size_t cut) {
  Pair pair;
  const auto id = pair.client.request(post(), false);
  ASSERT_TRUE(id);
  pair.client.send_data(*id, "question");
  pair.client.send_end(*id, Headers());
  pair.run(cut);
  pair.server.respond(*id, ok(), false);
  pair.server.send_data(*id, "answer");
  pair.server.send_end(*id, trailers());
  pair.run(cut);
  EXPECT_EQ(pair.at_server.events,
            (std::vector<std::string>{"1 request POST https://ca:15012/a.B/C te=trailers", "1 end",
                                      "1 closed NO_ERROR"}));
  EXPECT_EQ(pair.at_server.bodies[1], "question");
  EXPECT_EQ(pair.at_client.events, (std::vector<std::string>{"1 response 200 content-type=application/grpc",
                                                             "1 end grpc-status=0", "1 closed NO_ERROR"}));
  EXPECT_EQ(pair.at_client.bodies[1], "answer");
  EXPECT_EQ(pair.client.streams() + pair.server.streams(), 0u);
  EXPECT_FALSE(pair.client.finished());
}

TEST(Http2, CarriesAnExchangeWithTrailersFedWhole) { exchange_one(std::string::npos); }
TEST(Http2, CarriesAnExchangeWithTrailersFedByteByByte) { exchange_one(1); }
TEST(Http2, CarriesAnExchangeWithTrailersHoweverItIsCut) {
  for (std::size_t cut = 2; cut < 40; ++cut) exchange_one(cut);
}

TEST(Http2, AnswersWithoutBodyEndWithTheHead) {
  Pair pair;
  const StreamId id = *pair.client.request(post(), true);
  pair.run();
  pair.server.respond(id, ok(), true);
  pair.run();
  EXPECT_TRUE(pair.at_server.saw_part("te=trailers end"));
  EXPECT_TRUE(pair.at_client.saw("1 response 200 content-type=application/grpc end"));
  EXPECT_TRUE(pair.at_client.saw("1 closed NO_ERROR"));
}

// As some HTTP/1 servers send it (RFC 9110 § 8.6): the peer would take it for malformed.
TEST(Http2, ALengthWhereNoneMayBeIsLeftOut) {
  Pair pair;
  const StreamId id = *pair.client.request(post(), true);
  pair.run();
  for (const int status : {103, 204}) {
    ResponseHead head;
    head.status = status;
    head.headers.add("Content-Length", "4");
    pair.server.respond(id, head, status == 204);
  }
  pair.run();
  EXPECT_TRUE(pair.at_client.saw("1 response 103"));
  EXPECT_TRUE(pair.at_client.saw("1 response 204 end"));
  EXPECT_TRUE(pair.at_client.saw("1 closed NO_ERROR"));
}

TEST(Http2, TellsInterimHeadsFromTheFinalOneAndFromTrailers) {
  Pair pair;
  const StreamId id = *pair.client.request(post(), true);
  pair.run();
  ResponseHead early;
  early.status = 103;
  pair.server.respond(id, early, false);
  pair.server.respond(id, ok(), false);
  pair.server.send_end(id, trailers());
  pair.run();
  EXPECT_EQ(pair.at_client.events,
            (std::vector<std::string>{"1 response 103", "1 response 200 content-type=application/grpc",
                                      "1 end grpc-status=0", "1 closed NO_ERROR"}));
}

TEST(Http2, AnAnswerCompleteBeforeItsRequestEndsTheStream) {
  Pair pair;
  const StreamId id = *pair.client.request(post(), false);
  pair.run();
  pair.server.respond(id, ok(), true);
  pair.run();
  EXPECT_TRUE(pair.at_client.saw_part("200"));
  EXPECT_TRUE(pair.at_client.saw("1 closed NO_ERROR"));
  EXPECT_TRUE(pair.at_server.saw("1 closed NO_ERROR"));
}

TEST(Http2, ASenderStopsAtTheWindowAndGoesOnAsBytesAreTaken) {
  Pair pair;
  pair.at_server.consuming = false;
  const StreamId id = *pair.client.request(post(), false);
  const std::string body(limits::http2_stream_window_bytes + 100000, 'b');
  pair.client.send_data(id, body);
  pair.client.send_end(id, Headers());
  pair.run();
  EXPECT_EQ(pair.at_server.bodies[id].size(), limits::http2_stream_window_bytes);
  EXPECT_EQ(pair.client.queued(id), 100000u);
  EXPECT_FALSE(pair.at_server.saw("1 end"));
  pair.server.consume(id, limits::http2_stream_window_bytes);
  pair.run();
  EXPECT_EQ(pair.at_server.bodies[id].size(), body.size());
  EXPECT_TRUE(pair.at_server.saw("1 end"));
}

TEST(Http2, AStoppedStreamDoesNotStopTheOthers) {
  Pair pair;
  pair.at_server.consuming = false;
  const std::string body(limits::http2_stream_window_bytes, 'b');
  for (unsigned i = 0; i < limits::http2_streams_max; ++i) {
    const StreamId id = *pair.client.request(post(), false);
    pair.client.send_data(id, body);
  }
  pair.run();
  EXPECT_EQ(pair.at_server.bodies.size(), limits::http2_streams_max);
  for (const auto& [id, received] : pair.at_server.bodies) EXPECT_EQ(received.size(), body.size()) << id;
}

// A window opens again in steps: what was consumed just before one is no less room for others.
TEST(Http2, StoppedStreamsDoNotStopTheOthersWhateverWasCarriedBefore) {
  const std::string body(limits::http2_stream_window_bytes, 'b');
  for (const unsigned before : {49u, 74u, 99u}) {
    Pair pair;
    for (unsigned i = 0; i < before; ++i) {
      const StreamId id = *pair.client.request(post(), false);
      pair.client.send_data(id, body);
      pair.run();
      pair.client.reset(id, Http2Code::cancel);
      pair.run();
    }
    pair.at_server.consuming = false;
    pair.at_server.bodies.clear();
    for (unsigned i = 0; i < limits::http2_streams_max; ++i)
      pair.client.send_data(*pair.client.request(post(), false), body);
    pair.run();
    EXPECT_EQ(pair.at_server.bodies.size(), limits::http2_streams_max);
    for (const auto& [id, received] : pair.at_server.bodies)
      EXPECT_EQ(received.size(), body.size()) << id << " behind " << before;
  }
}

TEST(Http2, BytesNobodyTookGiveTheirWindowBackWhenTheStreamIsOver) {
  Http2Options small;
  small.streams_max = 1;
  Pair pair(small);
  pair.at_server.consuming = false;
  const std::string body(limits::http2_stream_window_bytes, 'b');
  for (int i = 0; i < 5; ++i) {
    const StreamId id = *pair.client.request(post(), false);
    pair.client.send_data(id, body);
    pair.run();
    ASSERT_EQ(pair.at_server.bodies[id].size(), body.size()) << i;
    pair.client.reset(id, Http2Code::cancel);
    pair.run();
  }
}

TEST(Http2, SaysDrainedOnceTheQueueWasAboveTheMarkAndFell) {
  Pair pair;
  const StreamId id = *pair.client.request(post(), false);
  pair.client.send_data(id, std::string(limits::write_high_bytes, 'b'));
  pair.run();
  EXPECT_FALSE(pair.at_client.saw("1 drained"));
  pair.client.send_data(id, std::string(limits::write_high_bytes + 1, 'b'));
  pair.run();
  EXPECT_EQ(std::count(pair.at_client.events.begin(), pair.at_client.events.end(), "1 drained"), 1);
}

TEST(Http2, AResetReachesTheOtherSideWithItsCode) {
  Pair pair;
  const StreamId id = *pair.client.request(post(), false);
  pair.run();
  pair.client.reset(id, Http2Code::cancel);
  pair.client.send_data(id, "late");  // ignored
  pair.run();
  EXPECT_TRUE(pair.at_server.saw("1 closed CANCEL"));
  EXPECT_TRUE(pair.at_client.saw("1 closed CANCEL"));
  EXPECT_EQ(pair.at_server.bodies.count(id), 0u);
}

TEST(Http2, ARequestResetBeforeItLeftWasNeverDelivered) {
  Pair pair;
  const StreamId id = *pair.client.request(post(), false);
  pair.client.reset(id, Http2Code::cancel);
  pair.run();
  EXPECT_EQ(pair.at_client.events, std::vector<std::string>{"1 closed REFUSED_STREAM"});
  EXPECT_TRUE(pair.at_server.events.empty());
}

TEST(Http2, StreamsAboveThePeersLimitWait) {
  Http2Options two;
  two.streams_max = 2;
  Pair pair(two);
  pair.run();  // settings
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(pair.client.request(post(), true));
  pair.run();
  EXPECT_EQ(pair.server.streams(), 2u);
  pair.server.respond(1, ok(), true);
  pair.run();
  EXPECT_EQ(pair.server.streams(), 2u);
  EXPECT_TRUE(pair.at_server.saw_part("5 request"));
}

TEST(Http2, ShutDownLetsStreamsFinishAndThenTheConnection) {
  Pair pair;
  const StreamId id = *pair.client.request(post(), true);
  pair.run();
  pair.server.shut_down();
  pair.run();
  EXPECT_EQ(pair.at_client.events, (std::vector<std::string>{"goaway all NO_ERROR", "goaway 1 NO_ERROR"}));
  EXPECT_FALSE(pair.client.request(post(), true));
  EXPECT_FALSE(pair.server.finished());
  pair.server.respond(id, ok(), true);
  pair.run();
  EXPECT_TRUE(pair.at_client.saw_part("200"));
  EXPECT_TRUE(pair.server.finished());
  EXPECT_TRUE(pair.client.finished());
  EXPECT_EQ(pair.server.fault(), std::nullopt);
}

TEST(Http2, ARequestUnderWayWhenTheServerShutsDownIsServed) {
  Pair pair;
  pair.run();
  const StreamId id = *pair.client.request(post(), true);
  const std::string under_way = drain(pair.client);
  pair.server.shut_down();
  const std::string notice = drain(pair.server);
  pair.server.feed(under_way, pair.now);
  pair.client.feed(notice, pair.now);
  pair.run();
  EXPECT_TRUE(pair.at_server.saw_part("1 request"));
  EXPECT_TRUE(pair.at_client.saw("goaway 1 NO_ERROR"));
  pair.server.respond(id, ok(), true);
  pair.run();
  EXPECT_TRUE(pair.at_client.saw("1 closed NO_ERROR"));
}

// The ping proves that the notice before it has arrived.
TEST(Http2, AServerThatShutsDownSaysSoBeforeItPings) {
  Pair pair;
  pair.run();
  pair.server.shut_down();
  constexpr char goaway = 7, ping = 6;
  EXPECT_EQ(std::string(pair.server.produce()).at(3), goaway);
  EXPECT_EQ(std::string(pair.server.produce()).at(3), ping);
}

// A client that answers the ping and asks on: the GOAWAY that follows does not count the request, so the
// client may send it elsewhere.
TEST(Http2, WhatTheGoawayExcludesIsNotTaken) {
  Pair pair;
  const StreamId first = *pair.client.request(post(), true);
  pair.run();
  pair.server.shut_down();
  const std::string notice(pair.server.produce());
  const std::string ping(pair.server.produce());
  const StreamId late = *pair.client.request(post(), true);
  pair.client.feed(ping, pair.now);
  pair.run();
  EXPECT_FALSE(pair.at_server.saw_part(str_cat(late, " request")));
  EXPECT_TRUE(pair.at_client.saw(str_cat(late, " closed REFUSED_STREAM")));
  pair.server.respond(first, ok(), true);
  pair.run();
  EXPECT_TRUE(pair.at_client.saw(str_cat(first, " closed NO_ERROR")));
}

TEST(Http2, PingsAreAnswered) {
  Pair pair;
  pair.client.ping(77);
  pair.run();
  EXPECT_TRUE(pair.at_client.saw("pong 77"));
}

TEST(Http2, SaysThatAPeerDoesNotSpeakHttp2) {
  Pair pair;
  pair.server.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n", pair.now);
  EXPECT_TRUE(pair.server.finished());
  ASSERT_TRUE(pair.server.fault());
  EXPECT_NE(pair.server.fault()->message.find("does not speak HTTP/2"), std::string::npos);
}

TEST(Http2, AHeadAboveTheLimitResetsItsStreamOnly) {
  Http2Options options;
  options.limits.head_bytes = 8192;
  Pair pair(options);
  RequestHead large = post();
  large.headers.add("x-large", std::string(16384, 'v'));
  ASSERT_TRUE(pair.client.request(large, true));
  RequestHead many = post();
  for (int i = 0; i < 101; ++i) many.headers.add(str_cat("x-", i), "v");
  ASSERT_TRUE(pair.client.request(many, true));
  ASSERT_TRUE(pair.client.request(post(), true));
  pair.run();
  EXPECT_TRUE(pair.at_client.saw("1 closed INTERNAL_ERROR"));
  EXPECT_TRUE(pair.at_client.saw("3 closed INTERNAL_ERROR"));
  EXPECT_EQ(pair.at_server.events,
            (std::vector<std::string>{"5 request POST https://ca:15012/a.B/C te=trailers end",
                                      "refused a head that is larger than it may be",
                                      "refused a head that is larger than it may be"}));
}

}  // namespace
}  // namespace weft::codec
