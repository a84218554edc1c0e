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
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
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
  std::atomic<std::uint64_t> tunnels{0};
  std::atomic<std::uint64_t> refused{0};     // answered by the mesh
  std::atomic<std::uint64_t> injected{0};    // of them: as weft.mesh/fault says
  std::atomic<std::uint64_t> overloaded{0};  // and as weft.mesh/limits
  std::atomic<std::uint64_t> interim{0};
  std::atomic<std::uint64_t> retries{0};
  std::atomic<std::uint64_t> mirrored{0};
  std::atomic<std::uint64_t> ejections{0};
};

std::size_t retries(const RecordingTelemetry& telemetry) {
  std::size_t count = 0;
  for (const auto& record : telemetry.requests) {
    if (record.tries.size() > 1) count += record.tries.size() - 1;
  }
  return count;
}

std::size_t mirrored(const RecordingTelemetry& telemetry) {
  const auto found = telemetry.mirrored.find("answered");
  return found == telemetry.mirrored.end() ? 0 : static_cast<std::size_t>(found->second);
}

std::size_t ejections(const RecordingTelemetry& telemetry) {
  return static_cast<std::size_t>(telemetry.ejections);
}

void count(const World& world, Tally& tally) {
  for (int id = 0; id < world.book().size(); ++id) {
    const Fate& fate = world.book().fate(id);
    ++tally.outcomes[static_cast<std::size_t>(fate.outcome)];
    if (!fate.mesh_error.empty()) ++tally.refused;
    if (fate.mesh_error == "fault-injected") ++tally.injected;
    if (fate.mesh_error == "overload") ++tally.overloaded;
    tally.interim += static_cast<std::uint64_t>(fate.interim_heads);
    if (world.book().call(id).method == "TCP") ++tally.tunnels;
  }
  tally.retries += world.told(retries);
  tally.mirrored += world.told(mirrored);
  tally.ejections += world.told(ejections);
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
  const auto print = [](std::string_view what, std::uint64_t number) {
    std::printf("%s\n", str_cat(number, " ", what).c_str());
    return number;
  };
  // Rough enough to break some, calm enough to let most through, and each of these happens.
  std::vector<std::uint64_t> numbers;
  for (const Outcome which : {Outcome::answered, Outcome::cut, Outcome::failed, Outcome::gave_up})
    numbers.push_back(print(outcome_name(which), outcome(which)));
  for (const auto& [what, number] : {std::pair{"tunnels", &tally.tunnels},
                                     {"answered by the mesh", &tally.refused},
                                     {"faults injected", &tally.injected},
                                     {"refused above the limits", &tally.overloaded},
                                     {"interim heads", &tally.interim},
                                     {"retries", &tally.retries},
                                     {"copies answered", &tally.mirrored},
                                     {"ejections", &tally.ejections}})
    numbers.push_back(print(what, *number));
  if (seeds.last - seeds.first < 100) return;
  EXPECT_GT(outcome(Outcome::answered), outcome(Outcome::cut) + outcome(Outcome::failed));
  EXPECT_THAT(numbers, testing::Each(testing::Gt(0u)));
}

}  // namespace
}  // namespace weft::test
