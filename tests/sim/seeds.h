// Which seeds a simulation runs, and the running of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <vector>

namespace weft::test {

struct Seeds {
  std::uint64_t first = 1;
  std::uint64_t last = 0;
};

// WEFT_SIM_SEEDS (a number, or FIRST-LAST), else from 1 to a default.
Seeds wanted_seeds(std::uint64_t by_default);

// Runs `holds` for each seed, in a process of its own with that seed's entropy: it cannot depend on those
// before, and where it crashes or takes too long the others go on. Returns those that do not hold, having
// printed how to run them again; stops after twenty of them.
std::vector<std::uint64_t> failing_seeds(Seeds seeds, const std::function<bool(std::uint64_t)>& holds);

// Zeroed memory that those processes share, for what they count together. Never given back.
void* shared_memory(std::size_t bytes);
template <class Tally>
Tally& shared_tally() {
  return *new (shared_memory(sizeof(Tally))) Tally;
}

}  // namespace weft::test
