#include "sidecar/init_command.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/text.h"

namespace weft::sidecar {
namespace {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  int get() const { return fd_; }
  void reset(int fd) {
    close();
    fd_ = fd;
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

// A socket pair rather than a pipe: writing to a program that is gone must not raise SIGPIPE.
Status make_channel(Descriptor& ours, Descriptor& theirs) {
  std::array<int, 2> fds{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    return fail(Code::io, str_cat("socketpair: ", std::strerror(errno)));
  }
  ours.reset(fds[0]);
  theirs.reset(fds[1]);
  return {};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

struct Child {
  pid_t pid = -1;
  Descriptor in, out, err;
};

Status start(Child& child, const std::string& program, const std::vector<std::string>& arguments,
             std::vector<std::string> environment) {
  Descriptor in, out, err;
  WEFT_TRY(make_channel(child.in, in));
  WEFT_TRY(make_channel(child.out, out));
  WEFT_TRY(make_channel(child.err, err));

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.get(), STDERR_FILENO);
  std::vector<std::string> all = {program};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const int error = posix_spawn(&child.pid, program.c_str(), &actions, nullptr, pointers(all).data(),
                                pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(Code::io, str_cat("start ", program, ": ", std::strerror(error)));
  return {};
}

// False at the end of the output.
bool read_some(Descriptor& from, std::string& into) {
  std::array<char, 16384> chunk;
  const ssize_t count = read(from.get(), chunk.data(), chunk.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (count <= 0) return false;
  const std::size_t room = command_output_bytes_max - into.size();
  into.append(chunk.data(), std::min(room, static_cast<std::size_t>(count)));
  return true;
}

void write_some(Descriptor& to, std::string_view& input) {
  const ssize_t count = send(to.get(), input.data(), input.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count > 0) input.remove_prefix(static_cast<std::size_t>(count));
  const bool broken = count < 0 && errno != EINTR && errno != EAGAIN;
  if (input.empty() || broken) to.close();
}

// False when it took too long.
bool exchange(Child& child, std::string_view input, CommandOutput& output,
              std::chrono::milliseconds silence_max) {
  if (input.empty()) child.in.close();
  while (child.out.get() >= 0 || child.err.get() >= 0) {
    std::array<pollfd, 3> waits = {pollfd{child.in.get(), POLLOUT, 0}, pollfd{child.out.get(), POLLIN, 0},
                                   pollfd{child.err.get(), POLLIN, 0}};
    const int ready = poll(waits.data(), waits.size(), static_cast<int>(silence_max.count()));
    if (ready == 0) return false;
    if (ready < 0) continue;
    if (waits[0].revents != 0) write_some(child.in, input);
    if (waits[1].revents != 0 && !read_some(child.out, output.out)) child.out.close();
    if (waits[2].revents != 0 && !read_some(child.err, output.err)) child.err.close();
  }
  return true;
}

}  // namespace

std::optional<std::string> find_program(std::string_view name, std::string_view search_path) {
  for (const std::string_view folder : split(search_path, ':')) {
    std::string path = str_cat(folder.empty() ? "." : folder, "/", name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return std::nullopt;
}

Result<CommandOutput> run_command(const std::string& program, const std::vector<std::string>& arguments,
                                  const std::vector<std::string>& environment, std::string_view input,
                                  std::chrono::milliseconds silence_max) {
  Child child;
  WEFT_TRY(start(child, program, arguments, environment));
  CommandOutput output;
  const bool in_time = exchange(child, input, output, silence_max);
  if (!in_time) kill(child.pid, SIGKILL);
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!in_time) {
    return fail(Code::timeout, str_cat(program, ": no sign of life for ", silence_max.count() / 1000, " s"));
  }
  output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

}  // namespace weft::sidecar
