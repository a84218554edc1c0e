// A file system with room for a few kilobytes, which only the calling thread sees: what happens on a full
// disk.
#pragma once

#include <cstddef>
#include <string>

#include "base/callback.h"

namespace weft::test {

// Runs `test` in a thread of its own with such a file system at `folder`. False, and nothing was run, where
// that may not be done: it takes root.
bool on_tiny_disk(const std::string& folder, std::size_t bytes, Function<void()> test);
// Takes what room is left in `folder`.
void fill_disk(const std::string& folder);

}  // namespace weft::test
