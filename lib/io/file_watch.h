// Says when files change, however they do: written in place, replaced by rename, removed, made later, or
// swapped as Kubernetes swaps a mounted ConfigMap or Secret (the symbolic link ..data is renamed over).
// Single thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "base/result.h"

namespace weft::io {

class UvLoop;

class FileWatch {
 public:
  virtual ~FileWatch() = default;
};

// Calls `changed` when one of `paths` looks different: a file, or a folder with the files directly in it.
// Changes close together are told once, `debounce` after the first. None of them needs to exist yet. Read the
// files after the watch was made, so that no change falls between.
Result<std::unique_ptr<FileWatch>> watch_files(UvLoop& loop, const std::vector<std::string>& paths,
                                               Function<void()> changed,
                                               Duration debounce = std::chrono::milliseconds(50));

}  // namespace weft::io
