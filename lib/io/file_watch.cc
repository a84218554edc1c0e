#include "io/file_watch.h"

#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "io/uv_error.h"
#include "io/uv_handle.h"
#include "io/uv_loop.h"

namespace weft::io {
namespace {

namespace fs = std::filesystem;

std::string looks_of(const fs::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return "missing;";
  return str_cat(status.st_dev, ':', status.st_ino, ':', status.st_size, ':', status.st_mtim.tv_sec, '.',
                 status.st_mtim.tv_nsec, ':', status.st_ctim.tv_sec, '.', status.st_ctim.tv_nsec, ';');
}

// What two states of the path do not have in common, if anything in it changed. A folder's own times do not
// count: they change with files that come and go within a moment.
std::string fingerprint(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return looks_of(path);
  std::set<std::string> entries;
  for (fs::directory_iterator i(path, error), end; !error && i != end; i.increment(error)) {
    entries.insert(str_cat(i->path().filename().native(), '=', looks_of(i->path())));
  }
  std::string all = "folder;";
  for (const auto& entry : entries) all += entry;
  return all;
}

// The folders in which a change of `path` shows: its own content's, the one that holds its name, the one that
// holds the file behind its symbolic links, and each missing one's nearest ancestor.
void add_folders(const fs::path& path, std::set<std::string>& folders) {
  std::error_code error;
  if (fs::is_directory(path, error)) folders.insert(path);
  fs::path parent = fs::absolute(path, error).parent_path();
  while (!fs::is_directory(parent, error) && parent.has_relative_path()) parent = parent.parent_path();
  folders.insert(parent);
  if (const auto real = fs::canonical(path, error); !error) folders.insert(real.parent_path());
}

class UvFileWatch final : public FileWatch {
 public:
  UvFileWatch(UvLoop& loop, const std::vector<std::string>& paths, Function<void()> changed,
              Duration debounce)
      : loop_(loop),
        paths_(paths.begin(), paths.end()),
        changed_(std::make_shared<Function<void()>>(std::move(changed))),
        debounce_(debounce),
        settle_(loop.make_timer([this] { settled(); })) {}

  Status open() {
    WEFT_TRY(watch_folders());
    seen_ = all_fingerprints();
    return {};
  }

 private:
  std::string all_fingerprints() const {
    std::string all;
    for (const auto& path : paths_) all += fingerprint(path);
    return all;
  }

  // Anew after every change, since a folder may have come, gone or become another; the new ones watch before
  // the old ones stop.
  Status watch_folders() {
    std::set<std::string> folders;
    for (const auto& path : paths_) add_folders(path, folders);
    std::vector<UvHandle<uv_fs_event_t>> watches;
    for (const auto& folder : folders) {
      auto& watch = watches.emplace_back();
      watch.open_checked(this, [&](uv_fs_event_t* event) { return uv_fs_event_init(loop_.raw(), event); });
      const auto something = [](uv_fs_event_t* event, const char*, int, int) {
        if (event->data) static_cast<UvFileWatch*>(event->data)->something_happened();
      };
      const int status = uv_fs_event_start(watch.get(), something, folder.c_str(), 0);
      if (status == UV_ENOENT) continue;  // gone this moment: its parent, watched too, says so
      if (status < 0) return fail(system_error(status, str_cat("watch ", folder)));
    }
    watches_ = std::move(watches);
    return {};
  }

  // The first change starts the clock; more of them do not put it back, or a busy folder would never settle.
  void something_happened() {
    if (!settle_->active()) settle_->start(debounce_);
  }

  void settled() {
    // When it fails the old watches stay.
    static_cast<void>(watch_folders().has_value());
    auto looks = all_fingerprints();
    if (looks == seen_) return;
    seen_ = std::move(looks);
    const auto changed = changed_;  // the callback may destroy this object
    (*changed)();
  }

  UvLoop& loop_;
  std::vector<fs::path> paths_;
  std::shared_ptr<Function<void()>> changed_;
  Duration debounce_;
  std::unique_ptr<Timer> settle_;
  std::vector<UvHandle<uv_fs_event_t>> watches_;
  std::string seen_;
};

}  // namespace

Result<std::unique_ptr<FileWatch>> watch_files(UvLoop& loop, const std::vector<std::string>& paths,
                                               Function<void()> changed, Duration debounce) {
  auto watch = std::make_unique<UvFileWatch>(loop, paths, std::move(changed), debounce);
  WEFT_TRY(watch->open());
  return watch;
}

}  // namespace weft::io
