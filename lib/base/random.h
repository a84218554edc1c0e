// Randomness comes in from outside, so that a test can repeat a decision. Not for keys: those come from
// BoringSSL. One object lives on one thread.
#pragma once

#include <cstdint>

namespace weft {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
  // Uniform in [0, bound). REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // True in `percent` of a hundred cases; 0 draws nothing. REQUIRES: percent <= 100.
  bool happens(std::uint32_t percent) { return percent > 0 && below(100) < percent; }
  // Uniform in [0, 1).
  double unit();
};

// xoshiro256**, seeded by splitmix64: the same seed gives the same numbers on every machine.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed);
  std::uint64_t next() override;

 private:
  std::uint64_t state_[4];
};

// A seed from the kernel.
std::uint64_t system_random_seed();

}  // namespace weft
