#include "cli/local/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "io/loop.h"

namespace weft::local {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Error system_error(std::string_view what, int error_number) {
  const Code code = error_number == ENOENT ? Code::not_found : Code::io;
  std::array<char, 128> buffer{};
  return Error{code,
               str_cat(what, ": ", std::string_view(strerror_r(error_number, buffer.data(), buffer.size())))};
}

Error system_error(std::string_view what) { return system_error(what, errno); }

Result<UniqueFd> memory_file(std::string_view content) {
  UniqueFd fd(::memfd_create("weft", MFD_CLOEXEC));
  if (!fd) return fail(system_error("memfd_create"));
  for (std::string_view rest = content; !rest.empty();) {
    const ssize_t written = ::write(fd.get(), rest.data(), rest.size());
    if (written < 0) return fail(system_error("write to a memory file"));
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

std::string read_fd(int fd, std::size_t bytes_max) {
  std::string content;
  std::array<char, 8192> buffer;
  while (content.size() < bytes_max) {
    const ssize_t got = ::pread(fd, buffer.data(), std::min(buffer.size(), bytes_max - content.size()),
                                static_cast<off_t>(content.size()));
    if (got <= 0) break;
    content.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return content;
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error(path));
  std::string content = read_fd(fd.get(), bytes_max + 1);
  if (content.size() > bytes_max)
    return fail(Code::limit, str_cat(path, ": longer than ", bytes_max, " bytes"));
  return content;
}

Status write_file_atomically(const std::string& path, std::string_view content, unsigned mode,
                             const std::string& scratch, std::optional<uid_t> owner) {
  static std::atomic<unsigned> serial{0};
  const std::string temporary = str_cat(scratch, "/", serial.fetch_add(1), ".new");
  const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd) return fail(system_error(temporary));
  // The process' umask does not decide who may read a token.
  ::fchmod(fd.get(), mode);
  if (owner && ::fchown(fd.get(), *owner, static_cast<gid_t>(-1)) != 0) return fail(system_error(temporary));
  for (std::string_view rest = content; !rest.empty();) {
    const ssize_t written = ::write(fd.get(), rest.data(), rest.size());
    if (written < 0) return fail(system_error(temporary));
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(system_error(path));
  return {};
}

namespace {

// What the child needs, made before the fork: between fork and exec only system calls are safe, for other
// threads may hold any lock.
struct Prepared {
  std::vector<std::string> candidates;  // absolute paths to try
  std::vector<char*> argv;
  std::vector<char*> env;
  std::array<int, 16> fds{};
  std::size_t fd_count = 0;
  sigset_t signals{};  // blocked ones
};

Prepared prepare(const SpawnOptions& options, int null_fd) {
  Prepared prepared;
  const std::string& command = options.argv.front();
  if (command.find('/') != std::string::npos) {
    prepared.candidates.push_back(command);
  } else {
    std::string_view path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (const std::string& variable : options.env) {
      if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
    }
    for (const std::string_view folder : split(path, ':')) {
      prepared.candidates.push_back(str_cat(folder, "/", command));
    }
  }
  for (const std::string& argument : options.argv)
    prepared.argv.push_back(const_cast<char*>(argument.c_str()));
  prepared.argv.push_back(nullptr);
  for (const std::string& variable : options.env) prepared.env.push_back(const_cast<char*>(variable.c_str()));
  prepared.env.push_back(nullptr);
  for (const int fd : {options.stdin_fd, options.stdout_fd, options.stderr_fd}) {
    prepared.fds[prepared.fd_count++] = fd < 0 ? null_fd : fd;
  }
  for (const int fd : options.pass_fds) prepared.fds[prepared.fd_count++] = fd;
  // The first process of a namespace gets no signal it has neither blocked nor caught: it begins with all
  // blocked, so that one which comes early is not lost.
  if (options.new_pid_namespace) {
    sigfillset(&prepared.signals);
  } else {
    sigemptyset(&prepared.signals);
  }
  return prepared;
}

[[noreturn]] void run_child(Prepared& prepared, int error_fd) {
  ::setsid();
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &prepared.signals, nullptr);
  // First out of the way of the targets, then into place.
  constexpr int parking = 100;
  int error_at = ::fcntl(error_fd, F_DUPFD_CLOEXEC, parking);
  for (std::size_t i = 0; i < prepared.fd_count; ++i) {
    prepared.fds[i] = ::fcntl(prepared.fds[i], F_DUPFD_CLOEXEC, parking);
  }
  for (std::size_t i = 0; i < prepared.fd_count; ++i) ::dup2(prepared.fds[i], static_cast<int>(i));
  ::syscall(SYS_close_range, static_cast<unsigned>(prepared.fd_count), static_cast<unsigned>(parking - 1),
            0u);
  int error = ENOENT;
  for (const std::string& candidate : prepared.candidates) {
    ::execve(candidate.c_str(), prepared.argv.data(), prepared.env.data());
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
  }
  (void)!::write(error_at, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

Result<pid_t> spawn(const SpawnOptions& options) {
  if (options.argv.empty() || options.argv.front().empty()) return fail(Code::invalid, "an empty command");
  if (options.pass_fds.size() > 8) return fail(Code::limit, "too many descriptors to pass on");
  const UniqueFd null_fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null_fd) return fail(system_error("/dev/null"));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe"));
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  Prepared prepared = prepare(options, null_fd.get());
  const unsigned long flags = SIGCHLD | (options.new_pid_namespace ? CLONE_NEWPID : 0);
  const long pid = ::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr);
  if (pid < 0) return fail(system_error("clone"));
  if (pid == 0) run_child(prepared, write_end.get());
  write_end.reset();
  int error = 0;
  if (::read(read_end.get(), &error, sizeof error) == static_cast<ssize_t>(sizeof error)) {
    return fail(system_error(options.argv.front(), error));
  }
  return static_cast<pid_t>(pid);
}

int exit_code_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

}  // namespace weft::local
