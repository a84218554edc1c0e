// Consistent hashing: every endpoint has points on a ring, and a caller belongs to the first point from its
// own place on. An endpoint that comes or goes moves its own share and no other; who cannot be served by the
// first goes on to the next, the same for everybody. Made once per snapshot; immutable: any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "policy/snapshot.h"

namespace weft::policy {

class HashRing {
 public:
  // 8 bytes each. Shares differ by one part in sixteen with 256 points an endpoint (standard deviation).
  // Beyond 256 endpoints each has fewer: one more of them takes a point or so from every other.
  static constexpr std::size_t points_max = 65536;
  static constexpr std::size_t points_per_endpoint = 256;

  HashRing() = default;
  // Over those of `endpoints` that are `candidates`; places come from their addresses.
  HashRing(const std::vector<Endpoint>& endpoints, std::span<const std::uint32_t> candidates);

  // The first candidate that `fits`, from the place of `caller` on. REQUIRES: one does, or the ring is empty.
  template <class Fits>
  std::optional<std::uint32_t> first(std::uint64_t caller, Fits fits) const {
    const std::size_t from = place(caller);
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const std::uint32_t candidate = points_[(from + i) % points_.size()].candidate;
      if (fits(candidate)) return candidate;
    }
    return std::nullopt;
  }
  std::size_t size() const { return points_.size(); }

 private:
  struct Point {
    std::uint32_t at = 0;
    std::uint32_t candidate = 0;
    auto operator<=>(const Point&) const = default;
  };
  std::size_t place(std::uint64_t caller) const;

  std::vector<Point> points_;  // sorted
};

}  // namespace weft::policy
