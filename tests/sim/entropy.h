// The kernel's randomness, from a seed: keys, signatures and their lengths are then the same in every run of
// a seed. One for the process; BoringSSL draws its own seed from it when a process begins or forks.
#pragma once

#include <cstdint>

namespace weft::test {

// Starts the program again where the processor's own random numbers or random addresses would make two runs
// differ. REQUIRES: called first in main.
void become_repeatable(char** arguments);
// From here on getrandom() answers from `seed`.
void seed_entropy(std::uint64_t seed);

}  // namespace weft::test
