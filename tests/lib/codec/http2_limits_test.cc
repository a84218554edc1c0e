#include "codec/http2_limits.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace weft::codec {
namespace {

using namespace std::chrono_literals;
using Event = Http2Limits::Event;

// Counts `times` events at one moment; what was too much about the last of them.
std::optional<std::string> count(Http2Limits& limits, Event event, unsigned times, MonotonicTime now) {
  std::optional<std::string> too_much;
  for (unsigned i = 0; i < times; ++i) too_much = limits.count(event, now);
  return too_much;
}

struct Row {
  Event event;
  unsigned per_second_max;
  const char* text;
};
const Row rows[] = {
    {Event::reset, limits::http2_resets_per_second_max, "more than 200 resets of streams in a second"},
    {Event::forced_reset, limits::http2_resets_per_second_max,
     "more than 200 streams that had to be reset in a second"},
    {Event::ping, limits::http2_pings_per_second_max, "more than 50 PING frames in a second"},
    {Event::settings, limits::http2_settings_per_second_max, "more than 50 SETTINGS frames in a second"},
    {Event::empty_frame, limits::http2_empty_frames_per_second_max,
     "more than 800 frames without content in a second"},
};

TEST(Http2Limits, AllowWhatTheLimitSaysAndNameTheEventBeyondIt) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    Http2Limits limits;
    const MonotonicTime now{10s};
    EXPECT_EQ(count(limits, row.event, row.per_second_max, now), std::nullopt);
    EXPECT_EQ(count(limits, row.event, 1, now + 999ms), row.text);
  }
}

TEST(Http2Limits, BeginAgainASecondAfterTheFirstEvent) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    Http2Limits limits;
    MonotonicTime now{10s};
    for (int second = 0; second < 3; ++second, now += 1s) {
      EXPECT_EQ(count(limits, row.event, row.per_second_max, now), std::nullopt);
    }
    EXPECT_EQ(count(limits, row.event, 1, now - 1s), row.text) << "the third second is full";
  }
}

TEST(Http2Limits, CountEachKindByItselfButResetsTogether) {
  Http2Limits limits;
  const MonotonicTime now{10s};
  for (const Row& row : rows) {
    if (row.event == Event::forced_reset) continue;
    EXPECT_EQ(count(limits, row.event, row.per_second_max, now), std::nullopt) << row.text;
  }
  EXPECT_NE(limits.count(Event::forced_reset, now), std::nullopt) << "resets have used it up";
}

TEST(Http2Limits, AllowAPingForEachFrameOfWork) {
  Http2Limits limits;
  const MonotonicTime now{10s};
  EXPECT_EQ(count(limits, Event::ping, limits::http2_pings_per_second_max, now), std::nullopt);
  for (int i = 0; i < 1000; ++i) {
    limits.worked();
    EXPECT_EQ(limits.count(Event::ping, now), std::nullopt) << i;
  }
  EXPECT_NE(limits.count(Event::ping, now), std::nullopt) << "one more than there was work";
}

TEST(Http2Limits, ForgetTheWorkOfTheSecondBefore) {
  Http2Limits limits;
  const MonotonicTime now{10s};
  EXPECT_EQ(limits.count(Event::ping, now), std::nullopt);
  for (int i = 0; i < 1000; ++i) limits.worked();
  EXPECT_EQ(count(limits, Event::ping, limits::http2_pings_per_second_max, now + 1s), std::nullopt);
  EXPECT_NE(limits.count(Event::ping, now + 1s), std::nullopt);
}

TEST(Http2Limits, LimitTheContinuationsOfOneHead) {
  Http2Limits limits;
  MonotonicTime now{10s};
  limits.head_begins();
  for (unsigned i = 0; i < limits::http2_continuations_max; ++i, now += 2s) {
    EXPECT_EQ(limits.count(Event::continuation, now), std::nullopt) << i;
  }
  EXPECT_EQ(limits.count(Event::continuation, now), "a head in more than 8 CONTINUATION frames")
      << "however slowly they come";
  limits.head_begins();
  EXPECT_EQ(limits.count(Event::continuation, now), std::nullopt);
}

TEST(Http2Limits, LimitTheContinuationsOfManyHeadsInASecond) {
  Http2Limits limits;
  const MonotonicTime now{10s};
  for (unsigned i = 0; i < limits::http2_continuations_per_second_max; ++i) {
    limits.head_begins();
    EXPECT_EQ(limits.count(Event::continuation, now), std::nullopt) << i;
  }
  limits.head_begins();
  EXPECT_EQ(limits.count(Event::continuation, now), "more than 800 CONTINUATION frames in a second");
}

}  // namespace
}  // namespace weft::codec
