// Which seeds a simulation runs, and the running of them. Brings main().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <string>
#include <vector>

namespace weft::test {

struct Seeds {
  std::uint64_t first = 1;
  std::uint64_t last = 0;
};

// WEFT_SIM_SEEDS (a number, or FIRST-LAST), else from 1 to a default.
Seeds wanted_seeds(std::uint64_t by_default);

// Runs `run` for each seed, in a process of its own with that seed's entropy: it cannot depend on those
// before, and where it crashes or takes too long the others go on. `run` returns what it found wrong; a seed
// with findings is printed, with how to run it again, and a failure of the test. Stops after twenty of them.
// The log is off but for a single seed.
void run_seeds(Seeds seeds, const std::function<std::vector<std::string>(std::uint64_t)>& run);

// Zeroed memory that those processes share, for what they count together. Never given back.
void* shared_memory(std::size_t bytes);
template <class Tally>
Tally& shared_tally() {
  return *new (shared_memory(sizeof(Tally))) Tally;
}

}  // namespace weft::test
