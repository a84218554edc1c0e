// Waits with jitter. Exponential back-off is a value: the owner asks for the next delay and resets after a
// success.
#pragma once

#include <algorithm>

#include "base/clock.h"
#include "base/random.h"

namespace weft {

class Backoff {
 public:
  Backoff(Duration first, Duration longest) : first_(first), longest_(longest), next_(first) {}

  // Half of the current step plus a random part of the other half; the step then doubles.
  Duration next(Random& random) {
    const Duration step = next_;
    next_ = std::min(next_ * 2, longest_);
    return step / 2 + std::chrono::duration_cast<Duration>(step / 2 * random.unit());
  }
  void reset() { next_ = first_; }

 private:
  Duration first_;
  Duration longest_;
  Duration next_;
};

// `middle`, up to `percent` more or less, so that what began together does not end together.
inline Duration jittered(Duration middle, unsigned percent, Random& random) {
  return middle + std::chrono::duration_cast<Duration>(middle * ((2 * random.unit() - 1) * percent / 100));
}

}  // namespace weft
