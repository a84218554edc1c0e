// How far one name is from another, for "did you mean …?". Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace weft {

// Single-character edits from one to the other: few of them make a slip of the finger. Takes time in
// proportion to the product of the lengths.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace weft
