// What a fuzz target needs: the entry point's declaration and the input as text. A target aborts (WEFT_CHECK)
// where something is wrong, and is deterministic: all choices come from the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weft::fuzz {

inline std::string_view text(const std::uint8_t* data, std::size_t size) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes are char here
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace weft::fuzz
