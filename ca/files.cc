#include "ca/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/text.h"
#include "tls/issue.h"

namespace weft::ca {
namespace {

constexpr std::size_t secret_bytes_max = 256 * 1024;

tl::unexpected<Error> system_failure(std::string_view doing, const std::string& path) {
  const int number = errno;
  const Code code = number == ENOENT ? Code::not_found : number == EEXIST ? Code::exists : Code::io;
  return fail(code, str_cat(doing, " ", path, ": ", std::strerror(number)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  // Some file systems report a full disk only here.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

Status read_all(int fd, const std::string& path, std::size_t bytes_max, std::string& out) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return system_failure("read", path);
  if (!S_ISREG(facts.st_mode)) return fail(Code::invalid, str_cat("read ", path, ": not a regular file"));
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (size > bytes_max)
    return fail(Code::limit, str_cat("read ", path, ": longer than ", bytes_max, " bytes"));
  out.resize(size);  // once, so that growing leaves no copy of a secret behind
  std::size_t at = 0;
  while (at < size) {
    const ssize_t count = ::read(fd, out.data() + at, size - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("read", path);
    if (count == 0) break;
    at += static_cast<std::size_t>(count);
  }
  out.resize(at);
  return {};
}

Status write_all(int fd, const std::string& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("write", path);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// A name next to `path` that nobody else uses, with the content in it and on disk; removed unless kept.
class Draft {
 public:
  // By chance, not by process id: CAs in different containers may share the folder.
  explicit Draft(const std::string& path)
      : name_(str_cat(path, ".", hex_encode(tls::random_serial()), ".new")) {}
  ~Draft() { ::unlink(name_.c_str()); }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  Status write(const std::vector<std::string_view>& parts, unsigned mode) {
    Descriptor file(::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (file.get() < 0) return system_failure("create", name_);
    for (const auto part : parts) WEFT_TRY(write_all(file.get(), name_, part));
    // The umask may have taken bits away that a reader needs.
    if (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0 || !file.close()) {
      return system_failure("write", name_);
    }
    return {};
  }
  const char* name() const { return name_.c_str(); }

 private:
  std::string name_;
};

Status sync_folder(const std::string& path) {
  const std::string folder = folder_of(path);
  Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) return system_failure("sync", folder);
  return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return system_failure("read", path);
  std::string text;
  WEFT_TRY(read_all(file.get(), path, bytes_max, text));
  return text;
}

Result<tls::SecretText> read_secret_file(const std::string& path, unsigned others) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return system_failure("read", path);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return system_failure("read", path);
  if ((facts.st_mode & others) != 0) {
    char found[8];
    std::snprintf(found, sizeof found, "%04o", static_cast<unsigned>(facts.st_mode & 07777));
    return fail(Code::refused,
                str_cat("read ", path, ": its mode is ", found,
                        ", so others may read the private key in it: chmod 600 ", path,
                        " (in Kubernetes: defaultMode: 0400), and make a new key if they may have"));
  }
  std::string text;
  const auto read = read_all(file.get(), path, secret_bytes_max, text);
  auto secret = tls::SecretText::adopt(std::move(text));
  if (!read) return fail(read.error());
  return secret;
}

Status create_secret_file(const std::string& path, const std::vector<std::string_view>& parts) {
  Draft draft(path);
  WEFT_TRY(draft.write(parts, 0600));
  // Unlike rename, link never replaces; and unlike an exclusive open, it shows the file only when it is
  // whole.
  if (::link(draft.name(), path.c_str()) != 0) return system_failure("create", path);
  return sync_folder(path);
}

Status replace_file(const std::string& path, std::string_view content) {
  Draft draft(path);
  WEFT_TRY(draft.write({content}, 0644));
  if (::rename(draft.name(), path.c_str()) != 0) return system_failure("create", path);
  return sync_folder(path);
}

}  // namespace weft::ca
