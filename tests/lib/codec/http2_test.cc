#include "codec/http2.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"
#include "tests/support/http2_frame.h"

namespace weft::codec {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::raw_frame;

// Writes down what happens, one line an event; bodies are joined up per stream.
class Recorder final : public Http2Handler {
 public:
  void http2_request(StreamId id, RequestHead&& head, bool end) override {
    note(str_cat(id, " request ", head.method, " ", head.scheme, "://", head.authority, head.target,
                 fields(head.headers), end ? " end" : ""));
  }
  void http2_response(StreamId id, ResponseHead&& head, bool end) override {
    note(str_cat(id, " response ", head.status, fields(head.headers), end ? " end" : ""));
  }
  void http2_data(StreamId id, std::string_view bytes) override {
    bodies[id].append(bytes);
    if (session != nullptr && consuming) session->consume(id, bytes.size());
  }
  void http2_end(StreamId id, Headers&& trailers) override { note(str_cat(id, " end", fields(trailers))); }
  void http2_drained(StreamId id) override { note(str_cat(id, " drained")); }
  void http2_closed(StreamId id, Http2Code code) override {
    note(str_cat(id, " closed ", http2_code_name(code)));
  }
  void http2_goaway(StreamId last, Http2Code code, std::string_view) override {
    note(str_cat("goaway ", last == 0x7fffffff ? std::string("all") : std::to_string(last), " ",
                 http2_code_name(code)));
  }
  void http2_pong(std::uint64_t payload) override { note(str_cat("pong ", payload)); }

  bool saw(std::string_view line) const {
    return std::find(events.begin(), events.end(), line) != events.end();
  }
  bool saw_part(std::string_view part) const {
    return std::any_of(events.begin(), events.end(),
                       [&](const std::string& event) { return event.find(part) != std::string::npos; });
  }

  Http2Session* session = nullptr;
  bool consuming = true;
  std::vector<std::string> events;
  std::map<StreamId, std::string> bodies;

 private:
  static std::string fields(const Headers& headers) {
    std::string out;
    for (const Header& header : headers.fields()) out += str_cat(" ", header.name, "=", header.value);
    return out;
  }
  void note(std::string event) { events.push_back(std::move(event)); }
};

std::string drain(Http2Session& session) {
  std::string out;
  for (std::string_view bytes = session.produce(); !bytes.empty(); bytes = session.produce())
    out.append(bytes);
  return out;
}

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

TEST(Http2, BytesNobodyTookGiveTheirWindowBackWhenTheStreamIsOver) {
  Http2Options small;
  small.connection_window_bytes = limits::http2_stream_window_bytes;
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

// ---- what a hostile peer sends, written frame by frame ----

constexpr std::uint8_t type_data = 0, type_headers = 1, type_priority = 2, type_rst = 3, type_settings = 4,
                       type_ping = 6, type_continuation = 9;
constexpr std::uint8_t end_stream = 1, end_headers = 4;
const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + raw_frame(type_settings, 0, 0, "");
// :method POST, :scheme https, :path /, :authority "a"
const std::string head_block = "\x83\x87\x84\x41\x01"s + "a";

struct Victim {
  Victim() { session.feed(preface, now); }
  // What it answered; ends with GOAWAY when it had enough.
  std::string flood(std::string_view bytes, int times) {
    for (int i = 0; i < times; ++i) session.feed(bytes, now);
    return drain(session);
  }
  void expect_calm_demanded(std::string_view what) {
    ASSERT_TRUE(session.fault()) << what;
    EXPECT_NE(session.fault()->message.find(what), std::string::npos) << session.fault()->message;
    drain(session);
    EXPECT_TRUE(session.finished());
  }

  Recorder handler;
  MonotonicTime now{};
  Http2Session session{Http2Session::Role::server, handler};
};

TEST(Http2Flood, RapidResetsEndTheConnection) {
  Victim victim;
  for (StreamId id = 1; id < 2 * 201; id += 2) {
    victim.session.feed(raw_frame(type_headers, end_headers | end_stream, id, head_block), victim.now);
    victim.session.feed(raw_frame(type_rst, 0, id, "\0\0\0\x08"s), victim.now);
    drain(victim.session);
    ASSERT_EQ(victim.session.fault().has_value(), id > 2 * 200) << id;
  }
  victim.expect_calm_demanded("resets");
}

TEST(Http2Flood, ResetsBelowTheRateGoOn) {
  Victim victim;
  for (StreamId id = 1; id < 2 * 2000; id += 2) {
    victim.session.feed(raw_frame(type_headers, end_headers | end_stream, id, head_block), victim.now);
    victim.session.feed(raw_frame(type_rst, 0, id, "\0\0\0\x08"s), victim.now);
    drain(victim.session);
    victim.now += 10ms;
  }
  EXPECT_EQ(victim.session.fault(), std::nullopt);
}

TEST(Http2Flood, PingsEndTheConnection) {
  Victim victim;
  victim.flood(raw_frame(type_ping, 0, 0, "12345678"), limits::http2_pings_per_second_max);
  EXPECT_EQ(victim.session.fault(), std::nullopt);
  victim.flood(raw_frame(type_ping, 0, 0, "12345678"), 1);
  victim.expect_calm_demanded("PING");
}

TEST(Http2Flood, APingBesideEachRequestIsNoFlood) {
  Victim victim;
  static_assert(limits::http2_pings_per_second_max < 90 && limits::http2_streams_max > 90);
  for (StreamId id = 1; id < 2 * 90; id += 2) {
    victim.session.feed(raw_frame(type_headers, end_headers | end_stream, id, head_block), victim.now);
    victim.session.feed(raw_frame(type_ping, 0, 0, "12345678"), victim.now);
    drain(victim.session);
  }
  EXPECT_EQ(victim.session.fault(), std::nullopt);
}

TEST(Http2Flood, SettingsEndTheConnection) {
  Victim victim;
  victim.flood(raw_frame(type_settings, 0, 0, ""),
               limits::http2_settings_per_second_max - 1);  // and the preface's
  EXPECT_EQ(victim.session.fault(), std::nullopt);
  victim.flood(raw_frame(type_settings, 0, 0, ""), 1);
  victim.expect_calm_demanded("SETTINGS");
}

TEST(Http2Flood, ManyContinuationsOfOneHeadEndTheConnection) {
  Victim victim;
  victim.session.feed(raw_frame(type_headers, end_stream, 1, head_block), victim.now);
  victim.flood(raw_frame(type_continuation, 0, 1, ""), limits::http2_continuations_max);
  EXPECT_EQ(victim.session.fault(), std::nullopt);
  victim.flood(raw_frame(type_continuation, 0, 1, ""), 1);
  victim.expect_calm_demanded("CONTINUATION");
  EXPECT_TRUE(victim.handler.events.empty());
}

TEST(Http2, AHeadInContinuationsMayArriveByteByByte) {
  Victim victim;
  std::string bytes = raw_frame(type_headers, end_stream, 1, head_block.substr(0, 2));
  for (unsigned i = 1; i < limits::http2_continuations_max; ++i)
    bytes += raw_frame(type_continuation, 0, 1, "");
  bytes += raw_frame(type_continuation, end_headers, 1, head_block.substr(2));
  for (const char byte : bytes) victim.session.feed(std::string_view(&byte, 1), victim.now);
  EXPECT_EQ(victim.handler.events, std::vector<std::string>{"1 request POST https://a/ end"});
}

TEST(Http2Flood, ManyContinuationsOverManyHeadsEndTheConnection) {
  Victim victim;
  for (StreamId id = 1; id < 2 * 200 && !victim.session.fault(); id += 2) {
    victim.session.feed(raw_frame(type_headers, end_stream, id, head_block), victim.now);
    for (int i = 0; i < 5; ++i) victim.session.feed(raw_frame(type_continuation, 0, id, ""), victim.now);
    victim.session.feed(raw_frame(type_continuation, end_headers, id, ""), victim.now);
    drain(victim.session);
    victim.session.respond(id, ok(), true);
    drain(victim.session);
  }
  victim.expect_calm_demanded("CONTINUATION");
}

TEST(Http2Flood, EmptyDataFramesEndTheConnection) {
  Victim victim;
  victim.session.feed(raw_frame(type_headers, end_headers, 1, head_block), victim.now);
  victim.flood(raw_frame(type_data, 0, 1, ""), limits::http2_empty_frames_per_second_max + 1);
  victim.expect_calm_demanded("without content");
}

TEST(Http2Flood, PriorityFramesEndTheConnection) {
  Victim victim;
  victim.flood(raw_frame(type_priority, 0, 1, "\0\0\0\0\1"s), limits::http2_empty_frames_per_second_max + 1);
  victim.expect_calm_demanded("without content");
}

TEST(Http2Flood, StreamsThatHaveToBeResetCountAsResets) {
  Victim victim;
  const std::string upper_case =
      head_block + "\x40\x01" + "A" + "\x01" + "b";  // a field name in upper case is malformed
  for (StreamId id = 1; id < 2 * 250 && !victim.session.fault(); id += 2) {
    victim.session.feed(raw_frame(type_headers, end_headers | end_stream, id, upper_case), victim.now);
    drain(victim.session);
  }
  victim.expect_calm_demanded("had to be reset");
  EXPECT_TRUE(victim.handler.events.empty());
}

// ---- frames on streams that are over (RFC 9113 § 5.1) ----

// A stream that both sides have ended.
struct Ended : Victim {
  Ended() {
    session.feed(raw_frame(type_headers, end_headers | end_stream, 1, head_block), now);
    ResponseHead head;
    head.status = 204;
    session.respond(1, head, true);
    drain(session);
  }
  void expect_broken(std::string_view what) {
    ASSERT_TRUE(session.fault());
    EXPECT_NE(session.fault()->message.find(what), std::string::npos) << session.fault()->message;
    drain(session);
    EXPECT_TRUE(session.finished());
  }
};

TEST(Http2Order, DataBehindTheEndOfAStreamEndsTheConnection) {
  Ended victim;
  victim.session.feed(raw_frame(type_data, end_stream, 1, "more"), victim.now);
  victim.expect_broken("behind END_STREAM");
}

TEST(Http2Order, AHeadBehindTheEndOfAStreamEndsTheConnection) {
  Ended victim;
  victim.session.feed(raw_frame(type_headers, end_headers | end_stream, 1, head_block), victim.now);
  victim.expect_broken("behind END_STREAM");
}

TEST(Http2Order, ARequestOnAStreamThatWasPassedOverEndsTheConnection) {
  Victim victim;
  victim.session.feed(raw_frame(type_headers, end_headers | end_stream, 5, head_block), victim.now);
  EXPECT_FALSE(victim.session.fault());
  victim.session.feed(raw_frame(type_headers, end_headers | end_stream, 3, head_block), victim.now);
  ASSERT_TRUE(victim.session.fault());
  EXPECT_NE(victim.session.fault()->message.find("out of order"), std::string::npos);
  EXPECT_FALSE(victim.handler.saw_part("3 request"));
}

TEST(Http2Order, DataBehindThePeersResetIsAnErrorOfTheStreamAlone) {
  Victim victim;
  victim.session.feed(raw_frame(type_headers, end_headers, 1, head_block), victim.now);
  victim.session.feed(raw_frame(type_rst, 0, 1, "\0\0\0\x08"s), victim.now);
  drain(victim.session);
  const std::string answer = victim.flood(raw_frame(type_data, end_stream, 1, "more"), 1);
  EXPECT_NE(answer.find(raw_frame(type_rst, 0, 1, "\0\0\0\x05"s)), std::string::npos) << "STREAM_CLOSED";
  EXPECT_FALSE(victim.session.fault());
  victim.session.feed(raw_frame(type_headers, end_headers | end_stream, 3, head_block), victim.now);
  EXPECT_TRUE(victim.handler.saw_part("3 request")) << "the connection goes on";
}

// What crossed our reset is no fault of the peer's.
TEST(Http2Order, DataOnAStreamThatWeResetIsIgnored) {
  Victim victim;
  victim.session.feed(raw_frame(type_headers, end_headers, 1, head_block), victim.now);
  victim.session.reset(1, Http2Code::cancel);
  drain(victim.session);
  const std::string answer = victim.flood(raw_frame(type_data, end_stream, 1, "more"), 1);
  EXPECT_EQ(answer.find(raw_frame(type_rst, 0, 1, "\0\0\0\x05"s)), std::string::npos);
  EXPECT_FALSE(victim.session.fault());
}

TEST(Http2, AHeadAboveTheLimitResetsItsStreamOnly) {
  Http2Options options;
  options.head_bytes_max = 8192;
  Pair pair(options);
  RequestHead large = post();
  large.headers.add("x-large", std::string(8192, 'v'));
  ASSERT_TRUE(pair.client.request(large, true));
  RequestHead many = post();
  for (int i = 0; i < 101; ++i) many.headers.add(str_cat("x-", i), "v");
  ASSERT_TRUE(pair.client.request(many, true));
  ASSERT_TRUE(pair.client.request(post(), true));
  pair.run();
  EXPECT_TRUE(pair.at_client.saw("1 closed INTERNAL_ERROR"));
  EXPECT_TRUE(pair.at_client.saw("3 closed INTERNAL_ERROR"));
  EXPECT_EQ(pair.at_server.events,
            std::vector<std::string>{"5 request POST https://ca:15012/a.B/C te=trailers end"});
}

TEST(Http2, GarbageAfterThePrefaceEndsTheConnectionWithAReason) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SeededRandom random(seed);
    Victim victim;
    std::string garbage;
    for (int i = 0; i < 200; ++i) garbage.push_back(static_cast<char>(random.below(256)));
    // Whatever it is, it breaks nothing here; a frame of unknown type may even be legal.
    for (const char byte : garbage) victim.session.feed(std::string_view(&byte, 1), victim.now);
    drain(victim.session);
    EXPECT_EQ(victim.session.finished(), victim.session.fault().has_value()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace weft::codec
