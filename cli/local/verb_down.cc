#include <fcntl.h>
#include <sys/file.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "base/text.h"
#include "cli/local/node.h"
#include "cli/local/verb_support.h"

namespace weft::local {

int down(const Target& target) {
  const StateFolder folder = StateFolder::of(target.mesh);
  // Held by the mesh until nothing of it is left; when its folder is gone, it has ended in good order.
  const UniqueFd lock(::open(folder.lock().c_str(), O_RDWR | O_CLOEXEC));
  ControlRequest request;
  request.verb = "down";
  const Result<std::string> answer = ask(target, std::move(request));
  if (!answer) return report(answer.error());
  if (lock) ::flock(lock.get(), LOCK_EX);
  std::printf("mesh %s is down\n", target.mesh.c_str());
  return 0;
}

}  // namespace weft::local
