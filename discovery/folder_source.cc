#include "discovery/folder_source.h"

#include <dirent.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "kube/manifests.h"

namespace weft::discovery {
namespace {

bool is_manifest(std::string_view name) {
  return !name.starts_with('.') &&
         (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json"));
}

}  // namespace

FolderSource::FolderSource(io::UvLoop& loop, std::vector<std::string> folders)
    : loop_(loop), folders_(std::move(folders)) {}

void FolderSource::start(Changed changed) {
  changed_ = std::move(changed);
  // Watched before it is read, so that no change falls between.
  auto watch =
      io::watch_files(loop_, folders_, anchor_.guard([this] { scan(); }), std::chrono::milliseconds(20));
  if (watch) {
    watch_ = *std::move(watch);
  } else {
    problem(str_cat("the folders cannot be watched, changes will not be seen: ", watch.error().message));
  }
  loop_.defer(anchor_.guard([this] { scan(); }));
}

void FolderSource::problem(const std::string& message) {
  ++errors_;
  log::error(message);
}

FolderSource::Stamps FolderSource::list() const {
  Stamps out;
  for (const std::string& folder : folders_) {
    DIR* directory = ::opendir(folder.c_str());
    if (directory == nullptr) continue;
    while (const dirent* entry = ::readdir(directory)) {
      if (!is_manifest(entry->d_name)) continue;
      const std::string path = str_cat(folder, "/", entry->d_name);
      struct stat info {};
      if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
      out[path] = {info.st_ino, info.st_size, info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec};
    }
    ::closedir(directory);
  }
  return out;
}

void FolderSource::scan() {
  Stamps now = list();
  std::vector<Change> changes;
  for (const auto& [file, stamp] : known_) {
    if (now.contains(file)) continue;
    auto removed = objects_.remove_file(file);
    changes.insert(changes.end(), std::make_move_iterator(removed.begin()),
                   std::make_move_iterator(removed.end()));
  }
  for (const auto& [file, stamp] : now) {
    const auto before = known_.find(file);
    if (before == known_.end() || before->second != stamp) read(file, changes);
  }
  known_ = std::move(now);
  if (changes.empty() && !first_) return;
  first_ = false;
  changed_(std::move(changes));
}

void FolderSource::read(const std::string& file, std::vector<Change>& changes) {
  std::ifstream stream(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (!stream.good() && !stream.eof()) return problem(str_cat(file, ": cannot be read"));
  FolderObjects::Read read = objects_.put_file(file, text);
  for (const Error& error : read.errors) problem(str_cat(error.message, " (its last good objects stay)"));
  for (const std::string& note : read.skipped) log::info(note);
  changes.insert(changes.end(), std::make_move_iterator(read.changes.begin()),
                 std::make_move_iterator(read.changes.end()));
}

}  // namespace weft::discovery
