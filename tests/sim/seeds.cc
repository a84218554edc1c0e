#include "tests/sim/seeds.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/text.h"
#include "tests/sim/entropy.h"

namespace weft::test {
namespace {

constexpr unsigned seconds_per_seed_max = 120;
constexpr std::size_t failures_max = 20;

using Run = std::function<std::vector<std::string>(std::uint64_t)>;

class Runner {
 public:
  Runner(Seeds seeds, const Run& run) : run_(run), next_(seeds.first), last_(seeds.last) {}

  std::vector<std::uint64_t> run() {
    for (Slot& slot : slots_) start(slot);
    while (running_ > 0 && failed_.size() < failures_max) {
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
    return failed_;
  }

 private:
  struct Slot {
    pid_t child = 0;
    std::uint64_t seed = 0;
  };

  void start(Slot& slot) {
    slot.child = 0;
    const auto index = static_cast<unsigned>(&slot - slots_.data());
    if (next_ > last_ || index >= std::max(1u, std::thread::hardware_concurrency())) return;
    slot.seed = next_++;
    slot.child = begin(slot.seed);
    ++running_;
  }
  pid_t begin(std::uint64_t seed) {
    const pid_t child = fork();
    if (child != 0) return child;
    alarm(seconds_per_seed_max);
    seed_entropy(seed);
    const std::vector<std::string> findings = run_(seed);
    for (const std::string& finding : findings)
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), finding.c_str());
    std::fflush(stdout);
    _exit(findings.empty() && !testing::Test::HasFailure() ? 0 : 1);
  }
  void failed(std::uint64_t seed, int status) {
    failed_.push_back(seed);
    std::printf("seed %llu %s; again: WEFT_SIM_SEEDS=%llu\n", static_cast<unsigned long long>(seed),
                WIFSIGNALED(status) ? "was ended by a signal" : "does not hold",
                static_cast<unsigned long long>(seed));
    std::fflush(stdout);
  }

  const Run& run_;
  std::uint64_t next_;
  std::uint64_t last_;
  int running_ = 0;
  std::vector<std::uint64_t> failed_;
  std::array<Slot, 8> slots_;
};

}  // namespace

Seeds wanted_seeds(std::uint64_t by_default) {
  const char* const text = std::getenv("WEFT_SIM_SEEDS");
  if (text == nullptr) return {1, by_default};
  const auto parts = split(text, '-');
  const auto first = parse_number<std::uint64_t>(parts.front());
  const auto last = parse_number<std::uint64_t>(parts.back());
  if (parts.size() <= 2 && first && last && *first <= *last) return {*first, *last};
  ADD_FAILURE() << "WEFT_SIM_SEEDS is '" << text << "', expected a number or FIRST-LAST";
  return {1, 0};
}

void run_seeds(Seeds seeds, const Run& run) {
  if (seeds.first != seeds.last) log::set_level(log::Level::off);
  // Told to gtest at the end only: a child would inherit the failure.
  for (const std::uint64_t seed : Runner(seeds, run).run()) ADD_FAILURE() << "seed " << seed;
}

void* shared_memory(std::size_t bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(memory, MAP_FAILED);
  return memory;
}

}  // namespace weft::test

int main(int count, char** arguments) {
  weft::test::become_repeatable(arguments);
  weft::test::seed_entropy(0);
  testing::InitGoogleTest(&count, arguments);
  return RUN_ALL_TESTS();
}
