// Ejection of endpoints that keep failing: so many failures in a row take an endpoint out for a while, longer
// each time, and never more than a share of a Service's endpoints at once. One that could not be connected to
// is passed over for a moment besides. Time comes in from outside; any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "policy/snapshot.h"

namespace weft::policy {

inline constexpr Millis unreachable_time{1000};
inline constexpr Millis ejection_max{300'000};  // back-off ends here; without one for as long, it starts anew

// Only what speaks of the endpoint's health counts: not established, reset, timed out, or answered 502, 503,
// 504. An application's own 500 is its answer, and would let one caller with a bad request eject everybody's
// endpoint.
constexpr bool status_is_failure(int status) { return status >= 502 && status <= 504; }

// What the end of a try says of the endpoint.
enum class Health : std::uint8_t {
  good,
  bad,
  unreachable,  // bad, and no connection came about
  unknown,      // nothing: its connection ended as connections do, and crossed the request
};

class OutlierState {
 public:
  // Others come first, while there are any.
  bool passed_over(MonotonicTime now) const {
    return ejected(now) ||
           now.time_since_epoch().count() < unreachable_until_ns_.load(std::memory_order_relaxed);
  }
  bool ejected(MonotonicTime now) const {
    const std::int64_t until = ejected_until_ns_.load(std::memory_order_relaxed);
    return until != 0 && now.time_since_epoch().count() < until;
  }
  void succeeded() {
    // A look first: a healthy endpoint's cache line stays clean.
    if (failures_.load(std::memory_order_relaxed) == 0) return;
    failures_.store(0, std::memory_order_relaxed);
    unreachable_until_ns_.store(0, std::memory_order_relaxed);
  }
  // It is left alone for a moment, whatever the settings: who would be sent there would wait in vain.
  void unreachable(MonotonicTime now);
  // True when the run of failures is long enough to eject; whether the share allows it is the caller's to
  // know.
  bool failed(MonotonicTime now, const OutlierSettings& settings);
  void eject(MonotonicTime now, const OutlierSettings& settings);

 private:
  std::atomic<std::uint32_t> failures_{0};
  std::atomic<std::uint32_t> ejections_{0};
  std::atomic<std::int64_t> last_failure_ns_{0};
  std::atomic<std::int64_t> ejected_until_ns_{0};
  std::atomic<std::int64_t> unreachable_until_ns_{0};
};

}  // namespace weft::policy
