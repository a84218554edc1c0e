// weft-instructions: runs one operation a given number of times, for a tool that counts instructions
// (tests/bench/instructions.py). What two runs with N and 2 N differ by is N operations: start-up,
// preparation and warm-up cancel out.
//   weft-instructions --list        the names, one a line
//   weft-instructions --compiler    what built this
//   weft-instructions NAME COUNT
#include <cstdio>
#include <string_view>

#include "base/text.h"
#include "tests/bench/micro/operation.h"

namespace {

// Until tables and buffers have the size they keep.
constexpr unsigned warm_up = 20;

int run(std::string_view name, unsigned count) {
  for (const weft::bench::Operation& operation : weft::bench::all_operations()) {
    if (operation.name != name) continue;
    const weft::Function<void()> once = operation.prepare();
    for (unsigned i = 0; i < warm_up + count; ++i) once();
    return 0;
  }
  std::fprintf(stderr, "no operation '%.*s'; see --list\n", static_cast<int>(name.size()), name.data());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (argc == 2 && first == "--list") {
    for (const auto& operation : weft::bench::all_operations())
      std::puts(std::string(operation.name).c_str());
    return 0;
  }
  if (argc == 2 && first == "--compiler") {
#ifdef __clang__
    std::puts("clang " __clang_version__);
#else
    std::puts("g++ " __VERSION__);
#endif
    return 0;
  }
  const auto count = argc == 3 ? weft::parse_number<unsigned>(argv[2]) : std::nullopt;
  if (count) return run(first, *count);
  std::fputs("usage: weft-instructions --list | --compiler | NAME COUNT\n", stderr);
  return 2;
}
