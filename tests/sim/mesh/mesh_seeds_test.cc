// A whole mesh in simulation, from many seeds: every request ends exactly once, nothing that an application
// may have read is sent twice unasked, bytes arrive whole, in order and with nobody else, limits hold, and
// nothing is left in the end.
//
//   WEFT_SIM_SEEDS=1-100000 test_mesh_seeds   others than those that run by default
//   WEFT_SIM_SEEDS=4711 test_mesh_seeds       one again, with the sidecars' log
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/text.h"
#include "tests/sim/mesh/entropy.h"
#include "tests/sim/mesh/world.h"

namespace weft::test {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t seeds_by_default = 1000;
#else
constexpr std::uint64_t seeds_by_default = 10'000;
#endif
constexpr unsigned seconds_per_seed_max = 120;

struct Seeds {
  std::uint64_t first = 1;
  std::uint64_t last = seeds_by_default;
};

Seeds wanted_seeds() {
  const char* const text = std::getenv("WEFT_SIM_SEEDS");
  if (text == nullptr) return {};
  const auto parts = split(text, '-');
  const auto first = parse_number<std::uint64_t>(parts.front());
  const auto last = parse_number<std::uint64_t>(parts.back());
  if (parts.size() <= 2 && first && last && *first <= *last) return {*first, *last};
  ADD_FAILURE() << "WEFT_SIM_SEEDS is '" << text << "', expected a number or FIRST-LAST";
  return {1, 0};
}

// What all seeds together have seen, in memory that the processes share.
struct Tally {
  std::array<std::atomic<std::uint64_t>, 5> outcomes{};  // by Outcome
  std::atomic<std::uint64_t> retries{0};
  std::atomic<std::uint64_t> refused{0};  // answered by the mesh
  std::atomic<std::uint64_t> tunnels{0};
};

Tally& shared_tally() {
  void* const memory =
      mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(memory, MAP_FAILED);
  return *new (memory) Tally;
}

void count(const World& world, Tally& tally) {
  for (int id = 0; id < world.book().size(); ++id) {
    const Fate& fate = world.book().fate(id);
    ++tally.outcomes[static_cast<std::size_t>(fate.outcome)];
    if (!fate.mesh_error.empty()) ++tally.refused;
    if (world.book().call(id).method == "TCP") ++tally.tunnels;
  }
  tally.retries += world.retries();
}

bool holds(std::uint64_t seed, const TestRoot& root, Tally& tally) {
  seed_entropy(seed);
  World world(seed, root);
  const auto& findings = world.run();
  count(world, tally);
  for (const std::string& finding : findings)
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), finding.c_str());
  std::fflush(stdout);
  return findings.empty() && !testing::Test::HasFailure();
}

// A process of its own for each seed: it cannot depend on those before, and where it crashes the others go
// on.
pid_t begin(std::uint64_t seed, const TestRoot& root, Tally& tally) {
  const pid_t child = fork();
  if (child != 0) return child;
  alarm(seconds_per_seed_max);
  _exit(holds(seed, root, tally) ? 0 : 1);
}

class MeshSeeds {
 public:
  MeshSeeds(const TestRoot& root, Tally& tally, Seeds seeds)
      : root_(root), tally_(tally), next_(seeds.first), last_(seeds.last) {}

  void run() {
    for (Slot& slot : slots_) start(slot);
    while (running_ > 0 && failures_ < failures_max) {
      int status = 0;
      const pid_t ended = wait(&status);
      for (Slot& slot : slots_) {
        if (slot.child != ended) continue;
        --running_;
        if (status != 0) failed(slot.seed, status);
        start(slot);
      }
    }
    while (wait(nullptr) > 0) continue;
    for (std::size_t i = 0; i < failures_; ++i) ADD_FAILURE() << "seed " << failed_[i];
  }

 private:
  struct Slot {
    pid_t child = 0;
    std::uint64_t seed = 0;
  };
  static constexpr std::size_t failures_max = 20;

  void start(Slot& slot) {
    slot.child = 0;
    const auto index = static_cast<unsigned>(&slot - slots_.data());
    if (next_ > last_ || index >= std::max(1u, std::thread::hardware_concurrency())) return;
    slot.seed = next_++;
    slot.child = begin(slot.seed, root_, tally_);
    ++running_;
  }
  // Told to gtest at the end only: a child would inherit the failure.
  void failed(std::uint64_t seed, int status) {
    failed_[failures_++] = seed;
    std::printf("seed %llu %s; again: WEFT_SIM_SEEDS=%llu\n", static_cast<unsigned long long>(seed),
                WIFSIGNALED(status) ? "was ended by a signal" : "does not hold",
                static_cast<unsigned long long>(seed));
    std::fflush(stdout);
  }

  const TestRoot& root_;
  Tally& tally_;
  std::uint64_t next_;
  std::uint64_t last_;
  int running_ = 0;
  std::size_t failures_ = 0;
  std::array<std::uint64_t, failures_max> failed_{};
  std::array<Slot, 8> slots_;
};

TEST(MeshSimulation, EveryRequestEndsExactlyOnceAndNothingLeaks) {
  const Seeds seeds = wanted_seeds();
  const TestRoot root(noon());
  Tally& tally = shared_tally();
  if (seeds.first != seeds.last) log::set_level(log::Level::off);
  MeshSeeds(root, tally, seeds).run();
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

int main(int count, char** arguments) {
  weft::test::become_repeatable(arguments);
  weft::test::seed_entropy(0);
  testing::InitGoogleTest(&count, arguments);
  return RUN_ALL_TESTS();
}
