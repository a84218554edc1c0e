// What several verbs share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/local/control.h"
#include "cli/local/verbs.h"

namespace weft::local {

// "weft: MESSAGE" on standard error; gives the exit code 1.
int report(const Error& error);
// The same for what was done all the same.
void warn(std::string_view text);

// Asks the mesh that `target` names; fills in the namespace.
Result<std::string> ask(const Target& target, ControlRequest request);

struct ManifestFile {
  std::string name;
  std::string text;
};
// The manifests that -f names: files, folders (their .yaml, .yml and .json files, by name), "-" for standard
// input.
Result<std::vector<ManifestFile>> read_manifest_files(const std::vector<std::string>& names);

}  // namespace weft::local
