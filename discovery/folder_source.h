// A source without a cluster: folders of manifests (*.yaml, *.yml, *.json), read again when they change.
// Files are expected to be replaced by rename, so that nobody reads half of one. Single thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/callback.h"
#include "base/result.h"
#include "discovery/folder_objects.h"
#include "discovery/source.h"
#include "io/file_watch.h"
#include "io/uv_loop.h"

namespace weft::discovery {

class FolderSource final : public Source {
 public:
  FolderSource(io::UvLoop& loop, std::vector<std::string> folders);
  // A folder that is not there yet counts as empty until it is.
  void start(Changed changed) override;

  std::size_t broken_files() const { return objects_.broken_files(); }
  std::uint64_t errors() const { return errors_; }  // wrong documents and unreadable files seen since start

 private:
  // What tells one state of a file from another.
  struct Stamp {
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::map<std::string, Stamp>;

  Stamps list() const;
  void scan();
  void read(const std::string& file, std::vector<Change>& changes);
  void problem(const std::string& message);

  io::UvLoop& loop_;
  std::vector<std::string> folders_;
  Changed changed_;
  FolderObjects objects_;
  Stamps known_;
  bool first_ = true;
  std::uint64_t errors_ = 0;
  std::unique_ptr<io::FileWatch> watch_;
  Anchor anchor_;
};

}  // namespace weft::discovery
