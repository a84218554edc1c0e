#include "policy/outlier.h"

#include <algorithm>

namespace weft::policy {
namespace {

std::int64_t nanoseconds(MonotonicTime time) { return time.time_since_epoch().count(); }
std::int64_t nanoseconds(Millis duration) { return std::chrono::duration_cast<Duration>(duration).count(); }

}  // namespace

bool OutlierState::failed(MonotonicTime now, const OutlierSettings& settings) {
  // Workers race here; what is lost is a count or two, never more than a late ejection.
  const std::int64_t before = last_failure_ns_.exchange(nanoseconds(now), std::memory_order_relaxed);
  if (nanoseconds(now) - before > nanoseconds(settings.interval))
    failures_.store(0, std::memory_order_relaxed);
  const std::uint32_t failures = failures_.fetch_add(1, std::memory_order_relaxed) + 1;
  return failures >= settings.consecutive && !ejected(now);
}

void OutlierState::unreachable(MonotonicTime now) {
  unreachable_until_ns_.store(nanoseconds(now) + nanoseconds(unreachable_time), std::memory_order_relaxed);
}

void OutlierState::eject(MonotonicTime now, const OutlierSettings& settings) {
  constexpr std::uint32_t doublings_max = 20;
  const std::int64_t until = ejected_until_ns_.load(std::memory_order_relaxed);
  if (until == 0 || nanoseconds(now) - until > nanoseconds(ejection_max))
    ejections_.store(0, std::memory_order_relaxed);
  const std::uint32_t before = std::min(ejections_.fetch_add(1, std::memory_order_relaxed), doublings_max);
  const Millis length =
      std::min(settings.ejection * (1u << before), std::max(ejection_max, settings.ejection));
  ejected_until_ns_.store(nanoseconds(now) + nanoseconds(length), std::memory_order_relaxed);
  failures_.store(0, std::memory_order_relaxed);
}

}  // namespace weft::policy
