// Starting and reaping child processes. weft local is PID 1 of its namespace, so it also reaps what its
// children leave behind.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/callback.h"
#include "base/result.h"

namespace weft::io {
class Loop;
}

namespace weft::local {

// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// The message of errno, behind what was tried: "mount /run: Operation not permitted".
Error system_error(std::string_view what, int error_number);
Error system_error(std::string_view what);  // of errno

// An anonymous file with this content, read from its start by whoever gets it.
Result<UniqueFd> memory_file(std::string_view content);
// All of it, from the start; at most `bytes_max`.
std::string read_fd(int fd, std::size_t bytes_max);
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);
// In place of what was there, in one step: readers see the old or the new content. `scratch` is a folder on
// the same file system where the new file is made.
Status write_file_atomically(const std::string& path, std::string_view content, unsigned mode,
                             const std::string& scratch, std::optional<uid_t> owner = std::nullopt);

struct SpawnOptions {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH when it has no slash
  std::vector<std::string> env;   // "NAME=value"; the whole environment
  int stdin_fd = -1;              // -1: /dev/null
  int stdout_fd = -1;
  int stderr_fd = -1;
  std::vector<int> pass_fds;       // become 3, 4, …; everything else is closed
  bool new_pid_namespace = false;  // the child is PID 1 of its own
};

// The child runs in the calling thread's namespaces, in a session of its own, with default signal handling.
// Errors: not_found when there is no such command.
Result<pid_t> spawn(const SpawnOptions& options);

// How a process ended, as a shell tells it: 128 + signal when a signal did it.
int exit_code_of(int wait_status);

// Reaps every child on a thread of its own and tells whoever started it, on the loop's thread. Waits for the
// thread when destroyed: REQUIRES that no child is left by then.
class Reaper {
 public:
  using Exited = Function<void(int wait_status)>;

  explicit Reaper(io::Loop& loop);
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  // `exited` runs exactly once, on the loop's thread. Any thread.
  Result<pid_t> start(const SpawnOptions& options, Exited exited);
  // Starts, waits and gives stdout and stderr together. For threads that may block (jobs.h), not for the
  // loop's. Errors: the command could not be started, or ended with another code than 0 (the message has its
  // output).
  Result<std::string> run(const std::vector<std::string>& argv, std::string_view input);
  // Kills every process of this PID namespace but this one, and waits until all are reaped.
  void kill_all();

 private:
  struct Waiter {
    Exited exited;          // on the loop
    int* status = nullptr;  // or straight into a waiting thread's variable
    bool* done = nullptr;
  };
  void reap();

  io::Loop& loop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<pid_t, Waiter> waiters_;
  bool stopping_ = false;
  bool childless_ = false;
  std::thread thread_;
};

}  // namespace weft::local
