#include "sidecar/config_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/text.h"

namespace weft::sidecar {
namespace {

constexpr auto settle_time = std::chrono::milliseconds(500);
constexpr std::size_t cache_bytes_max = 64u << 20;

Error system_error(std::string_view what, const std::string& path) {
  return Error{errno == ENOENT ? Code::not_found : Code::io,
               str_cat(what, " ", path, ": ", std::strerror(errno))};
}

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

Status write_whole(const std::string& path, const std::string& bytes) {
  const File file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return fail(system_error("open", path));
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t put = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (put < 0) return fail(system_error("write", path));
    done += static_cast<std::size_t>(put);
  }
  return {};
}

}  // namespace

ConfigCache::ConfigCache(io::Loop& loop, std::string path) : path_(std::move(path)) {
  timer_ = loop.make_timer(anchor_.guard([this] {
    const Status written = write(content_());
    if (!written)
      log::warning("the configuration could not be cached; what was cached before stays",
                   {{"error", written.error().message}});
  }));
}

Result<std::string> ConfigCache::read() const {
  const File file(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return fail(system_error("open", path_));
  std::string bytes;
  char chunk[16384];
  for (;;) {
    const ssize_t got = ::read(file.get(), chunk, sizeof chunk);
    if (got < 0) return fail(system_error("read", path_));
    if (got == 0) return bytes;
    bytes.append(chunk, static_cast<std::size_t>(got));
    if (bytes.size() > cache_bytes_max) return fail(Code::limit, str_cat("read ", path_, ": too long"));
  }
}

void ConfigCache::write_soon(Function<std::string()> content) {
  content_ = std::move(content);
  if (!timer_->active()) timer_->start(settle_time);
}

Status ConfigCache::write(const std::string& bytes) const {
  const std::string fresh = path_ + ".new";
  Status written = write_whole(fresh, bytes);
  if (written && rename(fresh.c_str(), path_.c_str()) != 0) written = fail(system_error("rename to", path_));
  // A part of it is of no use, and takes room on a disk that may have none.
  if (!written) unlink(fresh.c_str());
  return written;
}

}  // namespace weft::sidecar
