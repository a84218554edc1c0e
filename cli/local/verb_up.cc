#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/log.h"
#include "base/text.h"
#include "cli/local/annotation_warnings.h"
#include "cli/local/supervisor.h"
#include "cli/local/verb_support.h"
#include "kube/manifests.h"

namespace weft::local {
namespace {

namespace fs = std::filesystem;

// weft's other programs lie beside this one where they are installed, and in their own folders where they are
// built.
std::vector<Program> find_programs() {
  constexpr std::array<std::string_view, 4> names{"weft-sidecar", "weft-ca", "weft-discovery",
                                                  "weft-injector"};
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  std::vector<Program> programs;
  for (const std::string_view name : names) {
    const fs::path built = folder.parent_path() / name.substr(std::string_view("weft-").size()) / name;
    for (const fs::path& path : {folder / name, built}) {
      if (::access(path.c_str(), X_OK) != 0) continue;
      programs.push_back({std::string(name), path});
      break;
    }
  }
  return programs;
}

Status check_programs(const std::vector<Program>& programs) {
  constexpr std::size_t all = 4;
  if (programs.size() == all) return {};
  std::string found;
  for (const Program& program : programs) found += str_cat(" ", program.name);
  return fail(
      Code::not_found,
      str_cat("weft-sidecar, weft-ca, weft-discovery and weft-injector must lie beside weft; found only:",
              found.empty() ? " none" : found, " (--no-control-plane runs plain pods)"));
}

Result<std::vector<kube::Object>> read_objects(const std::vector<std::string>& names) {
  WEFT_ASSIGN(const std::vector<ManifestFile> files, read_manifest_files(names));
  std::vector<kube::Object> objects;
  for (const ManifestFile& file : files) {
    kube::Manifests manifests = kube::parse_manifests(file.text, file.name);
    if (!manifests.errors.empty()) {
      for (std::size_t i = 1; i < manifests.errors.size(); ++i) report(manifests.errors[i]);
      return fail(manifests.errors.front());
    }
    for (const std::string& skipped : manifests.skipped) std::fprintf(stderr, "weft: %s\n", skipped.c_str());
    for (kube::Object& object : manifests.objects) objects.push_back(std::move(object));
  }
  return objects;
}

Result<SupervisorOptions> prepare(const UpOptions& options) {
  SupervisorOptions prepared{options.mesh, StateFolder::of(options.mesh), {},          find_programs(),
                             {},           options.control_plane,         options.seed};
  for (const std::string& image : options.images) WEFT_TRY(prepared.images.add(image));
  if (options.control_plane) WEFT_TRY(check_programs(prepared.programs));
  WEFT_ASSIGN(prepared.objects, read_objects(options.files));
  for (const kube::Object& object : prepared.objects) {
    WEFT_TRY(check_object(object, prepared.images, prepared.programs));
    for (const std::string& warning : annotation_warnings(object)) warn(warning);
  }
  return prepared;
}

int supervise(SupervisorOptions options) {
  log::init("weft", log::Level::info);
  Result<std::unique_ptr<Supervisor>> supervisor = Supervisor::create(std::move(options));
  return supervisor ? (*supervisor)->run() : report(supervisor.error());
}

}  // namespace

int up(const UpOptions& options) {
  Status possible = check_mesh_name(options.mesh);
  if (possible) possible = check_machine();
  if (!possible) return report(possible.error());
  const StateFolder folder = StateFolder::of(options.mesh);
  const Result<UniqueFd> lock = folder.take();
  if (!lock) return report(lock.error());
  Result<SupervisorOptions> prepared = prepare(options);
  Result<int> code = fail(Code::internal, "not started");
  if (prepared) {
    std::printf("starting mesh %s: %zu objects\n", options.mesh.c_str(), prepared->objects.size());
    std::fflush(stdout);
    code = run_in_node(folder, [&prepared] { return supervise(*std::move(prepared)); });
  } else {
    code = fail(prepared.error());
  }
  folder.remove();
  return code ? *code : report(code.error());
}

}  // namespace weft::local
