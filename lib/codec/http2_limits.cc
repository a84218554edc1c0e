#include "codec/http2_limits.h"

#include <string_view>

#include "base/limits.h"
#include "base/text.h"

namespace weft::codec {
namespace {

struct Rule {
  std::size_t rate;  // which of the counts
  unsigned per_second_max;
  std::string_view what;
};

constexpr Rule rule_of(Http2Limits::Event event) {
  using Event = Http2Limits::Event;
  switch (event) {
    case Event::reset:
      return {0, limits::http2_resets_per_second_max, "resets of streams"};
    case Event::forced_reset:
      return {0, limits::http2_resets_per_second_max, "streams that had to be reset"};
    case Event::ping:
      return {1, limits::http2_pings_per_second_max, "PING frames"};
    case Event::settings:
      return {2, limits::http2_settings_per_second_max, "SETTINGS frames"};
    case Event::continuation:
      return {3, limits::http2_continuations_per_second_max, "CONTINUATION frames"};
    case Event::empty_frame:
      break;
  }
  return {4, limits::http2_empty_frames_per_second_max, "frames without content"};
}

}  // namespace

std::optional<std::string> Http2Limits::count(Event event, MonotonicTime now) {
  const Rule rule = rule_of(event);
  Rate& rate = rates_[rule.rate];
  if (now - rate.second >= std::chrono::seconds(1)) {
    rate = Rate{now, 0};
    if (event == Event::ping) worked_ = 0;
  }
  ++rate.count;
  if (event == Event::continuation && ++head_continuations_ > limits::http2_continuations_max) {
    return str_cat("a head in more than ", limits::http2_continuations_max, " CONTINUATION frames");
  }
  const unsigned beside_work = event == Event::ping ? worked_ : 0;
  const unsigned most = rule.per_second_max * factor_;
  if (rate.count <= most + beside_work) return std::nullopt;
  return str_cat("more than ", most, " ", rule.what, " in a second");
}

}  // namespace weft::codec
