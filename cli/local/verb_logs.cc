#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/local/process.h"
#include "cli/local/verb_support.h"

namespace weft::local {
namespace {

constexpr auto follow_poll = std::chrono::milliseconds(50);

Result<std::string> find_log(const LogsOptions& options) {
  ControlRequest request;
  request.verb = "container";
  request.name = options.pod;
  request.container = options.container;
  WEFT_ASSIGN(const std::string answer, ask(options.target, std::move(request)));
  const nlohmann::json object = nlohmann::json::parse(answer, nullptr, false);
  const auto log = object.find("log");
  if (log == object.end() || !log->is_string()) return fail(Code::internal, "the mesh's answer names no log");
  return *log->get_ptr<const std::string*>();
}

// False when standard output is closed.
bool copy_what_is_there(int fd) {
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0) return true;
    if (::write(STDOUT_FILENO, buffer.data(), static_cast<std::size_t>(got)) != got) return false;
  }
}

}  // namespace

int logs(const LogsOptions& options) {
  const Result<std::string> path = find_log(options);
  if (!path) return report(path.error());
  const UniqueFd fd(::open(path->c_str(), O_RDONLY | O_CLOEXEC));
  // A container that has not been started yet has said nothing.
  if (!fd) return 0;
  bool open = copy_what_is_there(fd.get());
  // The file goes with the mesh.
  for (struct stat info{}; options.follow && open && ::fstat(fd.get(), &info) == 0 && info.st_nlink > 0;) {
    std::this_thread::sleep_for(follow_poll);
    open = copy_what_is_there(fd.get());
  }
  return 0;
}

}  // namespace weft::local
