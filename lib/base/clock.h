// Time types. Time itself comes in from outside: from io::Loop on a loop, or as an argument.
#pragma once

#include <chrono>
#include <string>

namespace weft {

using Duration = std::chrono::nanoseconds;
using MonotonicTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

// The two real clocks; only lib/io's loop and a program's main may ask them.
MonotonicTime system_monotonic_now();
WallTime system_wall_now();

// "2026-11-22T07:13:52.120Z" (RFC 3339, UTC, milliseconds).
std::string format_time(WallTime time);

}  // namespace weft
