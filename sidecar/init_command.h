// Runs a program to its end, for `weft-sidecar init`, which has no event loop: text in, text out. Blocks.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weft::sidecar {

struct CommandOutput {
  int exit_code = 0;  // 128 + the signal where one ended it
  std::string out;    // at most command_output_bytes_max each
  std::string err;
};

inline constexpr std::size_t command_output_bytes_max = 4 * 1024 * 1024;

// The file called `name` in the folders of `search_path` ("/usr/sbin:/sbin"), if one can be executed.
std::optional<std::string> find_program(std::string_view name, std::string_view search_path);

// `program` is a path; `environment` is all that the program sees. Killed when it shows no sign of life for
// `silence_max`.
Result<CommandOutput> run_command(const std::string& program, const std::vector<std::string>& arguments,
                                  const std::vector<std::string>& environment, std::string_view input,
                                  std::chrono::milliseconds silence_max);

}  // namespace weft::sidecar
