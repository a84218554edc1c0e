// How much of what costs us more than it costs the sender one HTTP/2 peer may send: resets ("rapid reset"),
// CONTINUATION, settings, pings and frames without content, each counted a second (limits.h). Pure: time
// comes in with every event.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace weft::codec {

class Http2Limits {
 public:
  // `factor`: how many times as much a second as limits.h says.
  explicit Http2Limits(unsigned factor = 1) : factor_(factor) {}

  enum class Event : std::uint8_t {
    reset,         // by the peer, of a stream that has just begun
    forced_reset,  // what the peer sent made us reset a stream: counts together with `reset`
    ping,
    settings,
    continuation,
    empty_frame,
  };

  // Counts `event`. What the peer sent too much of, once it has: "more than 50 PING frames in a second".
  std::optional<std::string> count(Event event, MonotonicTime now);
  // A frame of a head or a body passed, whoever sent it. A ping beside it is no flood: gRPC measures round
  // trips by one while messages flow.
  void worked() { ++worked_; }
  // A head begins: its CONTINUATION frames are limited for themselves as well.
  void head_begins() { head_continuations_ = 0; }

 private:
  // Of the second that began with its first event.
  struct Rate {
    MonotonicTime second{};
    unsigned count = 0;
  };
  unsigned factor_;
  std::array<Rate, 5> rates_;
  unsigned worked_ = 0;  // in the second of the pings
  unsigned head_continuations_ = 0;
};

}  // namespace weft::codec
