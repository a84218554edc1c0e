// Certificates through whatever happens to the CA, from many seeds.
//
//   WEFT_SIM_SEEDS=1-10000 test_ca_seeds   others than those that run by default
//   WEFT_SIM_SEEDS=4711 test_ca_seeds      one again, with the log
#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/ca/ca_world.h"
#include "tests/sim/seeds.h"

namespace weft::test {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t seeds_by_default = 30;
#else
constexpr std::uint64_t seeds_by_default = 150;
#endif

// What all seeds together have seen, in memory that the processes share.
struct Tally {
  std::atomic<std::uint64_t> issued{0};
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> rotations{0};
};

std::vector<std::string> run(std::uint64_t seed, Tally& tally) {
  CaWorld world(seed);
  auto findings = world.run();
  tally.issued += world.issued();
  tally.failures += world.failures();
  tally.rotations += world.rotated() ? 1 : 0;
  return findings;
}

TEST(CaSimulation, EverybodyKeepsACertificateAndNobodyGetsAnothers) {
  const Seeds seeds = wanted_seeds(seeds_by_default);
  auto& tally = shared_tally<Tally>();
  run_seeds(seeds, [&](std::uint64_t seed) { return run(seed, tally); });
  std::printf("%llu certificates, %llu failed attempts, %llu rotations of the root\n",
              static_cast<unsigned long long>(tally.issued.load()),
              static_cast<unsigned long long>(tally.failures.load()),
              static_cast<unsigned long long>(tally.rotations.load()));
  // Rough enough that attempts fail, calm enough that most certificates come in time.
  if (seeds.last - seeds.first < 20) return;
  EXPECT_GT(tally.issued, 20 * (seeds.last - seeds.first));
  EXPECT_GT(tally.failures, 0u);
  EXPECT_GT(tally.rotations, 0u);
}

}  // namespace
}  // namespace weft::test
