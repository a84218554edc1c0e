#include "cli/local/container.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "base/text.h"
#include "cli/local/mounts.h"
#include "cli/local/process.h"

namespace weft::local {
namespace {

constexpr int spec_fd = 3;
constexpr int network_fd = 4;
constexpr std::size_t spec_bytes_max = 4 * 1024 * 1024;
// What a shell says for "no such command" and "cannot be started".
constexpr int exit_not_found = 127;
constexpr int exit_not_started = 126;

int complain(const Error& error) {
  std::fprintf(stderr, "weft local: %s\n", error.message.c_str());
  return error.code == Code::not_found ? exit_not_found : exit_not_started;
}

Status limit_capabilities(std::uint64_t allowed) {
  for (unsigned capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    // EINVAL: a kernel older than the headers does not know it, so nobody has it.
    if ((allowed >> capability & 1) == 0 && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 &&
        errno != EINVAL) {
      return fail(system_error("drop a capability"));
    }
  }
  return {};
}

Status keep_capabilities(std::uint64_t allowed) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  // What this machine's root does not have, nobody can be given.
  if (::syscall(SYS_capget, &header, data.data()) != 0) return fail(system_error("read capabilities"));
  for (unsigned half = 0; half < 2; ++half) {
    data[half].permitted &= static_cast<std::uint32_t>(allowed >> (32 * half));
    data[half].effective = data[half].permitted;
    data[half].inheritable = 0;
  }
  if (::syscall(SYS_capset, &header, data.data()) != 0) return fail(system_error("set capabilities"));
  return {};
}

// Everything privileged is done; from here on the process is the application's user.
Status become(const ContainerSpec& spec) {
  const gid_t group = spec.gid;
  WEFT_TRY(limit_capabilities(spec.capabilities));
  if (::setgroups(1, &group) != 0 || ::setgid(group) != 0) return fail(system_error("set the group"));
  if (::setuid(spec.uid) != 0) return fail(system_error("set the user"));
  if (spec.uid == 0) WEFT_TRY(keep_capabilities(spec.capabilities));
  if (spec.no_new_privileges) ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (::chdir(spec.working_dir.c_str()) != 0)
    return fail(system_error(str_cat("workingDir ", spec.working_dir)));
  return {};
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

[[noreturn]] void run_command(const ContainerSpec& spec) {
  if (const Status became = become(spec); !became) ::_exit(complain(became.error()));
  // After the change of user, which clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::vector<char*> argv = pointers(spec.argv);
  environ = nullptr;
  for (const std::string& variable : spec.env) ::putenv(const_cast<char*>(variable.c_str()));
  ::execvp(argv[0], argv.data());
  ::_exit(complain(system_error(spec.argv.front())));
}

sigset_t all_signals() {
  sigset_t set;
  sigfillset(&set);
  // Stops are between a terminal and the process.
  for (const int signal : {SIGTSTP, SIGTTIN, SIGTTOU, SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL})
    sigdelset(&set, signal);
  return set;
}

// Passes signals on to `child` and reaps whatever ends, until `child` does.
int wait_for(pid_t child) {
  const sigset_t set = all_signals();
  while (true) {
    siginfo_t info{};
    const int signal = ::sigwaitinfo(&set, &info);
    if (signal < 0) continue;
    if (signal != SIGCHLD) {
      // What the terminal sent went to the whole process group already.
      if (info.si_code != SI_KERNEL) ::kill(child, signal);
      continue;
    }
    int status = 0;
    for (pid_t ended = ::waitpid(-1, &status, WNOHANG); ended > 0; ended = ::waitpid(-1, &status, WNOHANG)) {
      if (ended == child) return exit_code_of(status);
    }
  }
}

int fork_and_wait(const ContainerSpec& spec) {
  const sigset_t set = all_signals();
  ::sigprocmask(SIG_SETMASK, &set, nullptr);
  const pid_t child = ::fork();
  if (child < 0) return complain(system_error("fork"));
  if (child == 0) run_command(spec);
  return wait_for(child);
}

Result<ContainerSpec> read_spec() {
  Result<ContainerSpec> spec = parse_container_spec(read_fd(spec_fd, spec_bytes_max));
  ::close(spec_fd);
  return spec;
}

Status enter_network(const std::string& hostname) {
  if (::setns(network_fd, CLONE_NEWNET) != 0) return fail(system_error("enter the pod's network"));
  ::close(network_fd);
  if (::unshare(CLONE_NEWUTS | CLONE_NEWIPC) != 0) return fail(system_error("new namespaces"));
  if (::sethostname(hostname.data(), hostname.size()) != 0) return fail(system_error("set the host name"));
  return {};
}

Status join(const std::string& proc_folder) {
  struct Kind {
    const char* name;
    int flag;
  };
  // The mount namespace last: `proc_folder` is seen from outside.
  constexpr std::array<Kind, 5> kinds{{{"net", CLONE_NEWNET},
                                       {"uts", CLONE_NEWUTS},
                                       {"ipc", CLONE_NEWIPC},
                                       {"pid", CLONE_NEWPID},
                                       {"mnt", CLONE_NEWNS}}};
  const UniqueFd root(::open(str_cat(proc_folder, "/root").c_str(), O_PATH | O_CLOEXEC));
  std::array<UniqueFd, kinds.size()> fds;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    fds[i] = UniqueFd(::open(str_cat(proc_folder, "/ns/", kinds[i].name).c_str(), O_RDONLY | O_CLOEXEC));
    if (!root || !fds[i]) return fail(system_error("the container is not running"));
  }
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (::setns(fds[i].get(), kinds[i].flag) != 0) {
      return fail(system_error(str_cat("enter the container's ", kinds[i].name, " namespace")));
    }
  }
  // Entering a mount namespace leads to its real root, which need not be the container's.
  if (::fchdir(root.get()) != 0 || ::chroot(".") != 0)
    return fail(system_error("enter the container's root"));
  return {};
}

}  // namespace

int container_main() {
  const Result<ContainerSpec> spec = read_spec();
  if (!spec) return complain(spec.error());
  if (const Status entered = enter_network(spec->hostname); !entered) return complain(entered.error());
  if (const Status files = enter_container_files(spec->mounts); !files) return complain(files.error());
  return fork_and_wait(*spec);
}

Result<int> enter_and_run(const std::string& proc_folder, const ContainerSpec& spec) {
  WEFT_TRY(join(proc_folder));
  return fork_and_wait(spec);
}

int enter_main(const std::string& proc_folder) {
  const Result<ContainerSpec> spec = read_spec();
  if (!spec) return complain(spec.error());
  const Result<int> code = enter_and_run(proc_folder, *spec);
  return code ? *code : complain(code.error());
}

}  // namespace weft::local
