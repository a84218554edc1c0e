#include "tests/bench/load/pattern.h"

#include <algorithm>
#include <random>

namespace weft::bench {
namespace {

// A prime, so that it divides no buffer, record or window of anybody.
constexpr std::size_t period_bytes = 65521;

}  // namespace

Pattern::Pattern(std::uint32_t seed) {
  std::minstd_rand random(seed);
  repeated_.resize(period_bytes + chunk_bytes_max);
  // Letters, so that an answer can be looked at. The lowest bits of this generator are its weakest.
  static constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
  std::generate_n(repeated_.begin(), period_bytes, [&random] { return letters[random() >> 8 & 63]; });
  for (std::size_t i = period_bytes; i < repeated_.size(); ++i) repeated_[i] = repeated_[i - period_bytes];
}

std::string_view Pattern::at(std::uint64_t offset, std::uint64_t bytes) const {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, chunk_bytes_max));
  return std::string_view(repeated_).substr(offset % period_bytes, size);
}

std::size_t Pattern::matching(std::uint64_t offset, std::string_view bytes) const {
  std::size_t good = 0;
  while (good < bytes.size()) {
    const std::string_view expected = at(offset + good, bytes.size() - good);
    const auto [ours, theirs] =
        std::mismatch(expected.begin(), expected.end(), bytes.begin() + static_cast<std::ptrdiff_t>(good));
    good += static_cast<std::size_t>(ours - expected.begin());
    if (ours != expected.end()) break;
  }
  return good;
}

}  // namespace weft::bench
