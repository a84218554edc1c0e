// A whole mesh in simulation, from many seeds: every request ends exactly once, nothing that an application
// may have read is sent twice unasked, bytes arrive whole, in order and with nobody else, limits hold, and
// nothing is left in the end.
//
//   WEFT_SIM_SEEDS=1-100000 test_mesh_seeds   others than those that run by default
//   WEFT_SIM_SEEDS=4711 test_mesh_seeds       one again, with the sidecars' log
#include <array>
#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/mesh/world.h"
#include "tests/sim/seeds.h"

namespace weft::test {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t seeds_by_default = 1000;
#else
constexpr std::uint64_t seeds_by_default = 10'000;
#endif

// What all seeds together have seen, in memory that the processes share.
struct Tally {
  std::array<std::atomic<std::uint64_t>, 5> outcomes{};  // by Outcome
  std::atomic<std::uint64_t> retries{0};
  std::atomic<std::uint64_t> refused{0};  // answered by the mesh
  std::atomic<std::uint64_t> tunnels{0};
};

void count(const World& world, Tally& tally) {
  for (int id = 0; id < world.book().size(); ++id) {
    const Fate& fate = world.book().fate(id);
    ++tally.outcomes[static_cast<std::size_t>(fate.outcome)];
    if (!fate.mesh_error.empty()) ++tally.refused;
    if (world.book().call(id).method == "TCP") ++tally.tunnels;
  }
  tally.retries += world.retries();
}

std::vector<std::string> run(std::uint64_t seed, const TestRoot& root, Tally& tally) {
  World world(seed, root);
  auto findings = world.run();
  count(world, tally);
  return findings;
}

TEST(MeshSimulation, EveryRequestEndsExactlyOnceAndNothingLeaks) {
  const Seeds seeds = wanted_seeds(seeds_by_default);
  const TestRoot root(noon());
  auto& tally = shared_tally<Tally>();
  run_seeds(seeds, [&](std::uint64_t seed) { return run(seed, root, tally); });
  const auto outcome = [&](Outcome which) { return tally.outcomes[static_cast<std::size_t>(which)].load(); };
  std::printf(
      "%llu answered (%llu by the mesh), %llu cut, %llu failed, %llu given up, %llu retries, %llu tunnels\n",
      static_cast<unsigned long long>(outcome(Outcome::answered)),
      static_cast<unsigned long long>(tally.refused.load()),
      static_cast<unsigned long long>(outcome(Outcome::cut)),
      static_cast<unsigned long long>(outcome(Outcome::failed)),
      static_cast<unsigned long long>(outcome(Outcome::gave_up)),
      static_cast<unsigned long long>(tally.retries.load()),
      static_cast<unsigned long long>(tally.tunnels.load()));
  // Rough enough to break some, calm enough to let most through.
  if (seeds.last - seeds.first < 100) return;
  EXPECT_GT(outcome(Outcome::answered), outcome(Outcome::cut) + outcome(Outcome::failed));
  for (const Outcome which : {Outcome::cut, Outcome::failed, Outcome::gave_up}) EXPECT_GT(outcome(which), 0u);
  EXPECT_GT(tally.retries, 0u);
  EXPECT_GT(tally.tunnels, 0u);
}

}  // namespace
}  // namespace weft::test
