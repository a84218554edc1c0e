#include "policy/hash_ring.h"

#include "base/hash.h"

namespace weft::policy {

HashRing::HashRing(const std::vector<Endpoint>& endpoints, std::span<const std::uint32_t> candidates) {
  if (candidates.empty()) return;
  const std::size_t each = std::clamp<std::size_t>(points_max / candidates.size(), 1, points_per_endpoint);
  points_.reserve(each * candidates.size());
  for (const std::uint32_t candidate : candidates) {
    const std::uint64_t base = stable_hash(endpoints[candidate].address.to_string());
    for (std::size_t i = 0; i < each; ++i)
      points_.push_back(Point{static_cast<std::uint32_t>(mix_bits(base + i) >> 32), candidate});
  }
  std::sort(points_.begin(), points_.end());
}

std::size_t HashRing::place(std::uint64_t caller) const {
  const auto at = static_cast<std::uint32_t>(caller >> 32);
  const auto found =
      std::lower_bound(points_.begin(), points_.end(), at,
                       [](const Point& point, std::uint32_t wanted) { return point.at < wanted; });
  return static_cast<std::size_t>(found - points_.begin());  // the end is the beginning: it is a ring
}

}  // namespace weft::policy
