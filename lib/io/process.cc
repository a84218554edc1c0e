#include "io/process.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/text.h"
#include "io/descriptor.h"
#include "io/uv_error.h"
#include "io/uv_handle.h"
#include "io/uv_loop.h"
#include "io/uv_stream.h"

namespace weft::io {
namespace {

// The program to run, by the PATH of the child's environment.
std::string find_program(const ProcessOptions& options) {
  const std::string& name = options.argv[0];
  if (name.find('/') != std::string::npos) return name;
  constexpr std::string_view prefix = "PATH=";
  std::string_view path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (const auto& entry : options.env) {
    if (std::string_view(entry).substr(0, prefix.size()) == prefix)
      path = std::string_view(entry).substr(prefix.size());
  }
  for (const auto folder : split(path, ':')) {
    auto candidate = str_cat(folder, '/', name);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return name;  // exec will say that there is none
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (auto& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// The two ends of one of the child's descriptors.
struct Ends {
  Descriptor ours;
  Descriptor childs;
};

Result<Ends> open_stdio(const Stdio& stdio, int number) {
  Ends ends;
  int pair[2] = {-1, -1};
  switch (stdio.kind) {
    case Stdio::Kind::null:
      ends.childs = Descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC));
      break;
    case Stdio::Kind::inherit:
      ends.childs = Descriptor(fcntl(number, F_DUPFD_CLOEXEC, 3));
      break;
    case Stdio::Kind::descriptor:
      ends.childs = Descriptor(fcntl(stdio.descriptor, F_DUPFD_CLOEXEC, 3));
      break;
    case Stdio::Kind::pipe:
      // Standard input is a socket, for that can be shut down; output is a pipe, for programs open
      // /dev/stdout by name, which no socket allows.
      if (number == STDIN_FILENO) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) shutdown(pair[0], SHUT_RD);
      } else if (pipe2(pair, O_CLOEXEC) != 0) {
        pair[0] = pair[1] = -1;
      }
      ends.ours = Descriptor(pair[0]);
      ends.childs = Descriptor(pair[1]);
      break;
  }
  if (ends.childs.get() < 0) return fail(system_error(-errno, "open its standard input and output"));
  // Above the three that it will become, so that no dup2 closes another.
  if (ends.childs.get() < 3) ends.childs = Descriptor(fcntl(ends.childs.get(), F_DUPFD_CLOEXEC, 3));
  return ends;
}

// What the child needs, made before the fork: afterwards there is no allocating.
struct Plan {
  const ProcessOptions& options;
  const char* program;
  char* const* argv;
  char* const* env;
  int stdio[3];
  int report;  // an errno goes here; closed by a successful exec
  pid_t parent;
};

int become(const Plan& plan) {
  const ProcessOptions& options = plan.options;
  // Handlers are gone after exec, but ignored and blocked signals would stay so.
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (options.own_group) setpgid(0, 0);
  for (int number = 0; number < 3; ++number) {
    if (dup2(plan.stdio[number], number) < 0) return errno;
  }
  if (options.before_exec) {
    if (const int error = options.before_exec(); error != 0) return error;
  }
  if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) return errno;
  // The system calls themselves: the C library's would first stop threads that are not here.
  if ((options.uid || options.gid) && geteuid() == 0 && syscall(SYS_setgroups, 0, nullptr) != 0) return errno;
  if (options.gid && syscall(SYS_setresgid, *options.gid, *options.gid, *options.gid) != 0) return errno;
  if (options.uid && syscall(SYS_setresuid, *options.uid, *options.uid, *options.uid) != 0) return errno;
  if (options.die_with_parent) {
    // Behind the change of user, which would clear it.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
    if (getppid() != plan.parent) return ESRCH;
  }
  execve(plan.program, plan.argv, plan.env);
  return errno;
}

[[noreturn]] void run_child(const Plan& plan) {
  const int error = become(plan);
  static_cast<void>(!write(plan.report, &error, sizeof error));
  _exit(127);
}

class UvProcess final : public Process {
 public:
  UvProcess(UvLoop& loop, Function<void(ExitStatus)> exited)
      : loop_(loop), exited_(std::make_shared<Function<void(ExitStatus)>>(std::move(exited))) {}
  ~UvProcess() override {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  Status start(ProcessOptions options) {
    if (options.argv.empty()) return fail(Code::invalid, "spawn: no program was named");
    const auto what = str_cat("spawn ", options.argv[0]);
    int status = child_signal_.open(this, [&](uv_signal_t* s) { return uv_signal_init(loop_.raw(), s); });
    if (status >= 0) status = uv_signal_start(child_signal_.get(), &UvProcess::some_child_ended, SIGCHLD);
    if (status < 0) return fail(system_error(status, what));
    if (const auto started = fork_and_exec(options); !started) return fail(started.error().in(what));
    return {};
  }

  pid_t pid() const override { return started_pid_; }
  bool running() const override { return pid_ > 0; }
  void kill(int signal) override {
    if (pid_ > 0) ::kill(pid_, signal);
  }
  void kill_group(int signal) override {
    if (pid_ > 0) ::kill(-pid_, signal);
  }
  std::unique_ptr<Stream> take_stdin() override { return std::move(streams_[0]); }
  std::unique_ptr<Stream> take_stdout() override { return std::move(streams_[1]); }
  std::unique_ptr<Stream> take_stderr() override { return std::move(streams_[2]); }

 private:
  Status fork_and_exec(ProcessOptions& options) {
    const Stdio* const wanted[3] = {&options.standard_input, &options.standard_output,
                                    &options.standard_error};
    Ends ends[3];
    for (int number = 0; number < 3; ++number) {
      WEFT_ASSIGN(ends[number], open_stdio(*wanted[number], number));
    }
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return fail(system_error(-errno, "pipe"));
    Descriptor report_read(report[0]);
    Descriptor report_write(report[1]);
    const std::string program = find_program(options);
    const auto argv = pointers(options.argv);
    const auto env = pointers(options.env);
    const Plan plan{options,
                    program.c_str(),
                    argv.data(),
                    env.data(),
                    {ends[0].childs.get(), ends[1].childs.get(), ends[2].childs.get()},
                    report[1],
                    getpid()};
    // Until the child has its own dispositions, a signal there would run the handlers of this loop.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = fork();
    if (pid == 0) run_child(plan);
    const int fork_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return fail(system_error(-fork_error, "fork"));
    pid_ = started_pid_ = pid;
    report_write.close();
    if (const int error = read_report(report_read.get()); error != 0)
      return fail(system_error(-error, program));
    for (int number = 0; number < 3; ++number) {
      if (ends[number].ours.get() < 0) continue;
      WEFT_ASSIGN(streams_[number], UvStream::adopt(loop_, ends[number].ours.release(), Address{}));
    }
    return {};
  }

  // 0 when exec closed the pipe.
  static int read_report(int fd) {
    int error = 0;
    ssize_t count;
    do {
      count = ::read(fd, &error, sizeof error);
    } while (count < 0 && errno == EINTR);
    return count == sizeof error ? error : 0;
  }

  // Some child of this process: perhaps this one.
  static void some_child_ended(uv_signal_t* signal, int) {
    auto* const self = static_cast<UvProcess*>(signal->data);
    int status = 0;
    if (!self || self->pid_ <= 0 || waitpid(self->pid_, &status, WNOHANG) != self->pid_) return;
    self->pid_ = 0;
    uv_signal_stop(signal);
    ExitStatus exit;
    if (WIFSIGNALED(status)) exit.signal = WTERMSIG(status);
    if (WIFEXITED(status)) exit.code = WEXITSTATUS(status);
    const auto exited = self->exited_;  // the callback may destroy the object
    if (*exited) (*exited)(exit);
  }

  UvLoop& loop_;
  std::shared_ptr<Function<void(ExitStatus)>> exited_;
  pid_t pid_ = 0;  // 0: it ended and was reaped
  pid_t started_pid_ = 0;
  std::unique_ptr<Stream> streams_[3];
  UvHandle<uv_signal_t> child_signal_;
};

}  // namespace

std::string ExitStatus::to_string() const {
  return signal != 0 ? str_cat("signal ", signal) : str_cat("exit code ", code);
}

Result<std::unique_ptr<Process>> spawn(UvLoop& loop, ProcessOptions options,
                                       Function<void(ExitStatus)> exited) {
  auto process = std::make_unique<UvProcess>(loop, std::move(exited));
  WEFT_TRY(process->start(std::move(options)));
  return process;
}

}  // namespace weft::io
