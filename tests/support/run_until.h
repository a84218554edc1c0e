// Runs a real loop until something holds. Component tests only: unit tests run the simulated loop.
#pragma once

#include <chrono>

#include "base/callback.h"
#include "io/uv_loop.h"

namespace weft::test {

// False when `done()` did not come to hold within `limit` of real time.
bool run_until(io::UvLoop& loop, const Function<bool()>& done, Duration limit = std::chrono::seconds(20));
// For what must not happen: gives it `time` to happen.
void run_for(io::UvLoop& loop, Duration time);

}  // namespace weft::test
