// Time as the load programs measure it.
#pragma once

#include <chrono>

namespace weft::bench {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using Seconds = std::chrono::duration<double>;

// How often time-outs are looked at.
constexpr milliseconds tick{50};

inline Clock::time_point after(Seconds duration) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(duration);
}
inline double seconds_since(Clock::time_point start) { return Seconds(Clock::now() - start).count(); }

}  // namespace weft::bench
