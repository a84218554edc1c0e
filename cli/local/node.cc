#include "cli/local/node.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/text.h"
#include "cli/local/system_setup.h"

namespace weft::local {

namespace {

constexpr unsigned signals_until_kill = 3;

Status prepare_namespaces(const StateFolder& folder, bool ipv6) {
  const std::string& path = folder.path();
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return fail(
        system_error("mount / private (the root of a chroot has to be a mount point: mount --bind DIR DIR)"));
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return fail(system_error("mount /proc"));
  }
  std::error_code ignored;
  std::filesystem::create_directories(folder.hidden(), ignored);
  if (::mount("tmpfs", folder.hidden().c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0) {
    return fail(system_error(str_cat("mount a tmpfs on ", folder.hidden())));
  }
  for (const std::string& part :
       {folder.scratch(), folder.cluster(), folder.volumes(), folder.authority(), folder.issuer()}) {
    if (::mkdir(part.c_str(), 0755) != 0) return fail(system_error(part));
  }
  ::chmod(folder.authority().c_str(), 0700);
  return set_up_node_network(ipv6).map_error([&path](Error error) { return error.in(path); });
}

// The node's first process. Returns what the parent is to exit with.
int child_main(const StateFolder& folder, int go_fd, bool ipv6, const Function<int()>& supervise) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the call above; then this reads the end of its pipe.
  char go = 0;
  if (::read(go_fd, &go, 1) != 1) return 1;
  ::close(go_fd);
  // Out of the terminal's process group: Ctrl-C is for the parent, which asks politely.
  ::setsid();
  if (const Status prepared = prepare_namespaces(folder, ipv6); !prepared) {
    (void)!::write(STDERR_FILENO, prepared.error().message.data(), prepared.error().message.size());
    (void)!::write(STDERR_FILENO, "\n", 1);
    return 1;
  }
  return supervise();
}

sigset_t parent_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

// Waits for the child; what the user sends is passed on.
int wait_for(pid_t child) {
  const sigset_t set = parent_signals();
  unsigned asked = 0;
  while (true) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) return exit_code_of(status);
    const int signal = ::sigwaitinfo(&set, nullptr);
    if (signal <= 0 || signal == SIGCHLD) continue;
    ::kill(child, ++asked < signals_until_kill ? SIGTERM : SIGKILL);
  }
}

}  // namespace

StateFolder StateFolder::of(std::string_view mesh_name) {
  std::string base = "/run";
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); ::geteuid() != 0 && runtime != nullptr)
    base = runtime;
  return StateFolder(str_cat(base, "/weft/local/", mesh_name));
}

Result<UniqueFd> StateFolder::take() const {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) return fail(Code::io, str_cat(path_, ": ", error.message()));
  ::chmod(path_.c_str(), 0700);
  UniqueFd fd(::open(lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return fail(system_error(lock()));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const Result<std::string> owner = read_file(pid(), 32);
    return fail(
        Code::exists,
        str_cat("the local mesh ", std::filesystem::path(path_).filename().string(), " is running already",
                owner ? str_cat(" (process ", owner->substr(0, owner->find('\n')), ")") : std::string(),
                "; end it with `weft local down`, or give this one another --name"));
  }
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    if (entry.path() != lock()) std::filesystem::remove_all(entry.path(), error);
  }
  std::filesystem::create_directories(logs(), error);
  return fd;
}

void StateFolder::remove() const {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  // The folders above, if this was the last mesh.
  const std::filesystem::path parent = std::filesystem::path(path_).parent_path();
  if (std::filesystem::remove(parent, ignored)) std::filesystem::remove(parent.parent_path(), ignored);
}

Status check_machine() {
  if (::geteuid() != 0) {
    return fail(Code::refused, "weft local needs root: it makes network namespaces and mounts (try sudo)");
  }
  const std::array<std::pair<const char*, const char*>, 3> tools{{
      {"ip", "iproute2"},
      {"iptables-restore", "iptables"},
      {"ip6tables-restore", "iptables"},
  }};
  for (const auto& [tool, package] : tools) {
    bool found = false;
    for (const char* folder :
         {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
      found = found || ::access(str_cat(folder, tool).c_str(), X_OK) == 0;
    }
    if (!found) {
      return fail(Code::not_found,
                  str_cat("weft local needs the command ", tool, ": apt-get install ", package));
    }
  }
  return {};
}

bool has_ipv6() {
  const Result<std::string> off = read_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", 16);
  return off && !off->starts_with('1');
}

Result<int> run_in_node(const StateFolder& folder, Function<int()> supervise) {
  std::array<int, 2> go{};
  if (::pipe2(go.data(), O_CLOEXEC) != 0) return fail(system_error("pipe"));
  const sigset_t set = parent_signals();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  constexpr unsigned long flags =
      SIGCHLD | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
  const bool ipv6 = has_ipv6();
  const long child = ::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr);
  if (child < 0) return fail(system_error("new namespaces"));
  if (child == 0) {
    ::close(go[1]);
    ::_exit(child_main(folder, go[0], ipv6, supervise));
  }
  ::close(go[0]);
  WEFT_TRY(write_file_atomically(folder.pid(), str_cat(child, "\n"), 0600, folder.path()));
  const bool told = ::write(go[1], "g", 1) == 1;
  ::close(go[1]);
  if (!told) return fail(system_error("start the node"));
  return wait_for(static_cast<pid_t>(child));
}

}  // namespace weft::local
