#include "tests/sim/entropy.h"

#include <dlfcn.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/random.h"

namespace weft::test {
namespace {

// BoringSSL's name for the processor's features, and the one bit that stands for RDRAND.
constexpr const char* features_variable = "OPENSSL_ia32cap";
constexpr const char* without_rdrand = "~0x4000000000000000";

std::optional<SeededRandom>& entropy() {
  static std::optional<SeededRandom> random;
  return random;
}

long fill(char* bytes, std::size_t count) {
  for (std::size_t at = 0; at < count; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = entropy()->next();
    std::memcpy(bytes + at, &word, std::min(sizeof word, count - at));
  }
  return static_cast<long>(count);
}

}  // namespace

void become_repeatable(char** arguments) {
  // The variable says that this has been done, also where the kernel does not let addresses be fixed.
  if (getenv(features_variable) != nullptr) return;
  setenv(features_variable, without_rdrand, 1);
  personality(ADDR_NO_RANDOMIZE);
  execv("/proc/self/exe", arguments);
}

void seed_entropy(std::uint64_t seed) { entropy().emplace(seed); }

}  // namespace weft::test

// In front of the C library's own for BoringSSL, which asks the kernel by this function.
extern "C" long syscall(long number, ...) noexcept {
  using Call = long (*)(long, long, long, long, long, long, long);
  static const Call real = reinterpret_cast<Call>(dlsym(RTLD_NEXT, "syscall"));
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_getrandom && weft::test::entropy()) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): it came as a number
    return weft::test::fill(reinterpret_cast<char*>(a[0]), static_cast<std::size_t>(a[1]));
  }
  return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
