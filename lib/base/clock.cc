#include "base/clock.h"

#include <cstdio>
#include <ctime>

namespace weft {

MonotonicTime system_monotonic_now() { return std::chrono::steady_clock::now(); }
WallTime system_wall_now() { return std::chrono::system_clock::now(); }

std::string format_time(WallTime time) {
  const auto since_epoch = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since_epoch).count();
  const int millis = static_cast<int>(since_epoch.count() - seconds * 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[40];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", millis);
  return text;
}

}  // namespace weft
