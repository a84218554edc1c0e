#include "cli/local/verb_support.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/text.h"
#include "cli/local/command_line.h"
#include "cli/local/node.h"
#include "cli/local/process.h"
#include "kube/manifests.h"

namespace weft::local {

namespace fs = std::filesystem;

int report(const Error& error) {
  std::fprintf(stderr, "weft: %s\n", error.message.c_str());
  return 1;
}

void warn(std::string_view text) {
  std::fprintf(stderr, "weft: warning: %.*s\n", static_cast<int>(text.size()), text.data());
}

Result<std::string> ask(const Target& target, ControlRequest request) {
  WEFT_TRY(check_mesh_name(target.mesh));
  request.name_space = target.name_space;
  return ask_mesh(StateFolder::of(target.mesh).socket(), target.mesh, to_json(request));
}

namespace {

std::string read_standard_input() {
  std::string text;
  char buffer[65536];
  while (text.size() < kube::manifest_bytes_max) {
    const std::size_t got = std::fread(buffer, 1, sizeof buffer, stdin);
    if (got == 0) break;
    text.append(buffer, got);
  }
  return text;
}

bool is_manifest(const fs::path& path) {
  const std::string extension = path.extension();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

Result<std::vector<std::string>> expand_folder(const std::string& name) {
  std::error_code error;
  if (!fs::is_directory(name, error)) return std::vector<std::string>{name};
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(name, error)) {
    if (is_manifest(entry.path())) names.push_back(entry.path());
  }
  if (error) return fail(Code::io, str_cat(name, ": ", error.message()));
  if (names.empty())
    return fail(Code::not_found, str_cat(name, ": no .yaml, .yml or .json file in this folder"));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Result<std::vector<ManifestFile>> read_manifest_files(const std::vector<std::string>& names) {
  std::vector<ManifestFile> files;
  for (const std::string& name : names) {
    if (name == "-") {
      files.push_back({"standard input", read_standard_input()});
      continue;
    }
    WEFT_ASSIGN(const std::vector<std::string> expanded, expand_folder(name));
    for (const std::string& file : expanded) {
      WEFT_ASSIGN(std::string text, read_file(file, kube::manifest_bytes_max));
      files.push_back({file, std::move(text)});
    }
  }
  return files;
}

}  // namespace weft::local
