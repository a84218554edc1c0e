#include "tests/bench/net/outlet.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace weft::bench {

ssize_t send_some(int fd, std::string_view bytes) {
  const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent < 0 && errno == EAGAIN ? 0 : sent;
}

bool Outlet::send(int fd, std::string_view bytes) {
  if (blocked()) {
    keep(bytes);
    return true;
  }
  const ssize_t sent = send_some(fd, bytes);
  if (sent < 0) return false;
  if (static_cast<std::size_t>(sent) < bytes.size()) keep(bytes.substr(static_cast<std::size_t>(sent)));
  return true;
}

bool Outlet::flush_unsent(int fd) {
  const ssize_t sent = send_some(fd, unsent_);
  if (sent < 0) return false;
  if (static_cast<std::size_t>(sent) == unsent_.size()) {
    std::exchange(unsent_, {});
  } else {
    unsent_.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace weft::bench
