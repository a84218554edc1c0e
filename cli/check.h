// `weft check`: what is wrong with the weft.mesh/ annotations and labels of manifests, by the grammar that
// discovery and webhook use.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace weft::cli {

struct CheckOptions {
  std::vector<std::string> files;  // files or folders; "-" is standard input
};
int check(const CheckOptions& options);

// Pure: "world.yaml:3: Service default/world: weft.mesh/timeout: column 1: expected …".
struct Findings {
  std::vector<std::string> errors;
  std::size_t objects = 0;
};
void check_text(std::string_view text, const std::string& file, Findings& findings);

}  // namespace weft::cli
