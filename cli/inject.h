// `weft inject -f FILE`: the manifests as they would be after injection, on standard output.
#pragma once

#include <string>
#include <vector>

namespace weft::cli {

struct InjectOptions {
  std::vector<std::string> files;  // files or folders; "-" is standard input
};
// Gives the process' exit code.
int inject(const InjectOptions& options);

}  // namespace weft::cli
