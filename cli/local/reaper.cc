#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "cli/local/process.h"
#include "io/loop.h"

namespace weft::local {

namespace {
constexpr std::size_t output_bytes_max = 64 * 1024;
}

Reaper::Reaper(io::Loop& loop) : loop_(loop), thread_([this] { reap(); }) {}

Reaper::~Reaper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<pid_t> Reaper::start(const SpawnOptions& options, Exited exited) {
  // Held over the fork, so that the child cannot be reaped before its waiter is known.
  const std::lock_guard lock(mutex_);
  WEFT_ASSIGN(const pid_t pid, spawn(options));
  waiters_[pid].exited = std::move(exited);
  childless_ = false;
  changed_.notify_all();
  return pid;
}

Result<std::string> Reaper::run(const std::vector<std::string>& argv, std::string_view input) {
  WEFT_ASSIGN(const UniqueFd in, memory_file(input));
  WEFT_ASSIGN(const UniqueFd out, memory_file({}));
  SpawnOptions options;
  options.argv = argv;
  options.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  options.stdin_fd = in.get();
  options.stdout_fd = options.stderr_fd = out.get();
  int status = 0;
  bool done = false;
  std::unique_lock lock(mutex_);
  WEFT_ASSIGN(const pid_t pid, spawn(options));
  waiters_[pid] = Waiter{{}, &status, &done};
  childless_ = false;
  changed_.notify_all();
  changed_.wait(lock, [&done] { return done; });
  lock.unlock();
  std::string output = read_fd(out.get(), output_bytes_max);
  const int code = exit_code_of(status);
  if (code != 0) {
    return fail(Code::io, str_cat(argv.front(), " ended with ", code, ": ", trim(printable(output, 2000))));
  }
  return output;
}

void Reaper::kill_all() {
  std::unique_lock lock(mutex_);
  while (!childless_) {
    ::kill(-1, SIGKILL);
    changed_.wait_for(lock, std::chrono::milliseconds(20));
  }
}

void Reaper::reap() {
  while (true) {
    siginfo_t info{};
    // Looked at first and reaped under the lock: see start().
    const int found = ::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
    std::unique_lock lock(mutex_);
    if (found != 0) {
      if (errno != ECHILD) continue;
      childless_ = waiters_.empty();
      changed_.notify_all();
      if (stopping_) return;
      changed_.wait(lock, [this] { return stopping_ || !waiters_.empty(); });
      if (stopping_) return;
      continue;
    }
    int status = 0;
    ::waitpid(info.si_pid, &status, 0);
    const auto waiter = waiters_.find(info.si_pid);
    if (waiter == waiters_.end()) continue;
    if (waiter->second.done != nullptr) {
      *waiter->second.status = status;
      *waiter->second.done = true;
      changed_.notify_all();
    } else {
      loop_.post([exited = std::move(waiter->second.exited), status] { exited(status); });
    }
    waiters_.erase(waiter);
  }
}

}  // namespace weft::local
