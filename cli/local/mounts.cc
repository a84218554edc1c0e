#include "cli/local/mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "base/text.h"
#include "cli/local/process.h"

namespace weft::local {
namespace {

namespace fs = std::filesystem;

Status mount_memory(const std::string& target) {
  if (::mount("tmpfs", target.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") == 0) return {};
  return fail(system_error(str_cat("mount a tmpfs on ", target)));
}

Status bind_mount(const std::string& source, const std::string& target, unsigned long more = 0) {
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | more, nullptr) == 0) return {};
  return fail(system_error(str_cat("mount ", source, " on ", target)));
}

Status make_empty(const std::string& path, bool folder) {
  if (folder) {
    if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  } else {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (fd) return {};
  }
  return fail(system_error(str_cat("make ", path)));
}

class Tree {
 public:
  // A place of our own, where replaced folders are put together.
  explicit Tree(std::string workshop) : workshop_(std::move(workshop)) { ours_ = {"/run", "/run/lock"}; }

  // Makes sure that `target` exists, as a folder or a file, and gives its path without symbolic links.
  Result<std::string> ensure(const std::string& target, bool folder) {
    std::error_code error;
    const fs::path resolved = fs::weakly_canonical(target, error);
    if (error || !resolved.is_absolute())
      return fail(Code::invalid, str_cat(target, ": not a usable mount path"));
    fs::path existing = "/";
    auto part = std::next(resolved.begin());
    for (; part != resolved.end() && fs::exists(fs::symlink_status(existing / *part, error)); ++part)
      existing /= *part;
    if (part != resolved.end()) WEFT_TRY(make_writable(existing));
    for (; part != resolved.end(); ++part) {
      existing /= *part;
      WEFT_TRY(make_empty(existing, folder || std::next(part) != resolved.end()));
      ours_.insert(existing);
    }
    return resolved.string();
  }
  void writable_volume(const std::string& target) { ours_.insert(target); }

 private:
  Status make_writable(const fs::path& folder) {
    if (ours_.contains(folder)) return {};
    const std::string replacement = str_cat(workshop_, "/", ours_.size());
    WEFT_TRY(make_empty(replacement, true));
    WEFT_TRY(mount_memory(replacement));
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      WEFT_TRY(carry_over(entry, fs::path(replacement) / entry.path().filename()));
    }
    if (error) return fail(Code::io, str_cat(folder.string(), ": ", error.message()));
    ours_.insert(folder);
    if (folder != "/") return bind_mount(replacement, folder, MS_REC);
    // Nothing can be mounted over the root itself: it becomes another one.
    if (::chroot(replacement.c_str()) == 0 && ::chdir("/") == 0) return {};
    return fail(system_error("change the root"));
  }

  static Status carry_over(const fs::directory_entry& entry, const fs::path& target) {
    std::error_code error;
    if (entry.is_symlink(error)) {
      fs::copy_symlink(entry.path(), target, error);
      return error ? Status(fail(Code::io, str_cat(target.string(), ": ", error.message()))) : Status();
    }
    WEFT_TRY(make_empty(target, entry.is_directory(error)));
    return bind_mount(entry.path(), target, MS_REC);
  }

  std::string workshop_;
  std::set<fs::path> ours_;  // folders that may be written into: in memory, or a volume
};

Status put_in_place(Tree& tree, const Mount& mount, int source_fd) {
  struct stat info {};
  if (::fstat(source_fd, &info) != 0) return fail(system_error(mount.source));
  WEFT_ASSIGN(const std::string target, tree.ensure(mount.target, S_ISDIR(info.st_mode)));
  WEFT_TRY(bind_mount(str_cat("/proc/self/fd/", source_fd), target, MS_REC));
  if (mount.read_only) {
    constexpr unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV;
    if (::mount(nullptr, target.c_str(), nullptr, flags, nullptr) != 0) {
      return fail(system_error(str_cat("make ", target, " read-only")));
    }
  } else {
    tree.writable_volume(target);
  }
  return {};
}

}  // namespace

Status enter_container_files(const std::vector<Mount>& mounts) {
  if (::unshare(CLONE_NEWNS) != 0) return fail(system_error("new mount namespace"));
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return fail(system_error("mount / private"));
  // Opened before /run, where they are, is hidden.
  std::vector<std::pair<const Mount*, UniqueFd>> sources;
  for (const Mount& mount : mounts) {
    UniqueFd fd(::open(mount.source.c_str(), O_PATH | O_CLOEXEC));
    if (!fd) return fail(system_error(str_cat("volume for ", mount.target, ": ", mount.source)));
    sources.emplace_back(&mount, std::move(fd));
  }
  // Outer folders first, whatever order the manifest has.
  std::stable_sort(sources.begin(), sources.end(), [](const auto& a, const auto& b) {
    return a.first->target.size() < b.first->target.size();
  });
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return fail(system_error("mount /proc"));
  }
  WEFT_TRY(mount_memory("/run"));
  WEFT_TRY(make_empty("/run/lock", true));
  const std::string workshop = "/run/.weft";
  WEFT_TRY(make_empty(workshop, true));
  Tree tree(workshop);
  for (const auto& [mount, fd] : sources) WEFT_TRY(put_in_place(tree, *mount, fd.get()));
  return {};
}

}  // namespace weft::local
