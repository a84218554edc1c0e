#include "tests/bench/net/listener.h"

#include <sys/socket.h>

#include <cerrno>

namespace weft::bench {

Status Listener::listen(const Address& address) {
  WEFT_ASSIGN(socket_, listen_tcp(address));
  return poller_.add(socket_.get(), EPOLLIN, *this);
}

// One a turn: asking again until there is none costs a system call more for every connection, where
// level-triggered epoll_wait reports the next one anyway, with whatever else is ready.
void Listener::ready(std::uint32_t) {
  Descriptor connection(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (connection.get() >= 0) return accepted_(std::move(connection));
  if (errno != EMFILE && errno != ENFILE) return;  // gone already
  out_of_descriptors_ = true;
  poller_.change(socket_.get(), 0, *this);
}

void Listener::descriptor_freed() {
  if (!out_of_descriptors_) return;
  out_of_descriptors_ = false;
  poller_.change(socket_.get(), EPOLLIN, *this);
}

}  // namespace weft::bench
