// Checks of invariants. They stay on in production: a broken invariant ends the process, loudly,
// rather than letting it go on in a state nobody has thought about. Never for input from outside.
#pragma once

namespace weft {

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace weft

#define WEFT_CHECK(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::weft::check_failed(#condition, __FILE__, __LINE__))
