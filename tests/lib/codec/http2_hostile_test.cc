#include <string>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/random.h"
#include "codec/http2.h"
#include "tests/lib/codec/http2_recorder.h"
#include "tests/support/http2_frame.h"

namespace weft::codec {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::raw_frame;

// ---- what a hostile peer sends, written frame by frame ----

constexpr std::uint8_t type_data = 0, type_headers = 1, type_priority = 2, type_rst = 3, type_settings = 4,
                       type_ping = 6, type_continuation = 9;
constexpr std::uint8_t end_stream = 1, end_headers = 4;
const std::string preface = test::http2_preface();
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

// Deadlines by the hundred: each stream had its place for a while, which bounds how many there can be.
TEST(Http2Flood, ResetsOfStreamsThatAreNotYoungAreNoFlood) {
  Victim victim;
  StreamId id = 1;
  for (int round = 0; round < 10; ++round) {
    const StreamId first = id;
    for (; id < first + 2 * 100; id += 2)
      victim.session.feed(raw_frame(type_headers, end_headers | end_stream, id, head_block), victim.now);
    victim.now += limits::http2_rapid_reset_age;
    for (StreamId each = first; each < id; each += 2)
      victim.session.feed(raw_frame(type_rst, 0, each, "\0\0\0\x08"s), victim.now);
    drain(victim.session);
  }
  EXPECT_EQ(victim.session.fault(), std::nullopt);
}

// A reset that crosses our answer costs nothing, but is no work either.
TEST(Http2Flood, ResetsOfStreamsThatAreOverCountAsFramesWithoutContent) {
  Victim victim;
  victim.session.feed(raw_frame(type_headers, end_headers | end_stream, 1, head_block), victim.now);
  victim.session.feed(raw_frame(type_rst, 0, 1, "\0\0\0\x08"s), victim.now);
  drain(victim.session);
  victim.flood(raw_frame(type_rst, 0, 1, "\0\0\0\x08"s), limits::http2_empty_frames_per_second_max);
  EXPECT_EQ(victim.session.fault(), std::nullopt);
  victim.flood(raw_frame(type_rst, 0, 1, "\0\0\0\x08"s), 1);
  victim.expect_calm_demanded("without content");
}

// At a deadline both sides give a call up, so of many calls come many resets: none of them unasked.
TEST(Http2Flood, AServerThatResetsWhatWasResetAlreadyIsNoFlood) {
  Recorder handler;
  const MonotonicTime now{};
  Http2Session session(Http2Session::Role::client, handler);
  session.feed(raw_frame(type_settings, 0, 0, ""), now);
  for (int i = 0; i < 1000; ++i) {
    const StreamId id = *session.request(RequestHead{}, true);
    drain(session);
    session.reset(id, Http2Code::cancel);
    drain(session);
    session.feed(raw_frame(type_rst, 0, id, "\0\0\0\x08"s), now);
  }
  EXPECT_EQ(session.fault(), std::nullopt);
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
    ResponseHead head;
    head.status = 200;
    victim.session.respond(id, head, true);
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

// They are ignored (RFC 9113 § 5.5), and cost no answer.
TEST(Http2Flood, FramesOfUnknownTypesAreNone) {
  Victim victim;
  victim.flood(raw_frame(0xaa, 0, 1, "12345"), 10 * limits::http2_empty_frames_per_second_max);
  EXPECT_EQ(victim.session.fault(), std::nullopt);
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
  EXPECT_EQ(victim.handler.events,
            std::vector<std::string>(200, "refused Invalid HTTP header field was received"));
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

// The frame that ends a stream is none that comes behind its end.
TEST(Http2Order, AnEmptyFrameMayEndAStreamThatWasAnsweredBefore) {
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{8}}) {
    Victim victim;
    victim.session.feed(raw_frame(type_headers, end_headers, 1, head_block), victim.now);
    ResponseHead head;
    head.status = 204;
    victim.session.respond(1, head, true);
    drain(victim.session);
    const std::string end = raw_frame(type_data, end_stream, 1, "");
    victim.session.feed(std::string_view(end).substr(0, cut), victim.now);
    victim.session.feed(std::string_view(end).substr(cut), victim.now);
    EXPECT_FALSE(victim.session.fault()) << victim.session.fault()->message;
  }
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
