#include "tests/bench/net/poller.h"

#include <sys/signalfd.h>

#include <csignal>

#include "base/check.h"
#include "tests/bench/net/sockets.h"

namespace weft::bench {

Poller::Poller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) { WEFT_CHECK(epoll_.get() >= 0); }

Status Poller::add(int fd, std::uint32_t events, Pollable& pollable) {
  epoll_event event{.events = events, .data = {.ptr = &pollable}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail(system_error("epoll_ctl"));
  return {};
}

void Poller::change(int fd, std::uint32_t events, Pollable& pollable) {
  epoll_event event{.events = events, .data = {.ptr = &pollable}};
  WEFT_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void Poller::turn(std::chrono::milliseconds wait_max) { turn_for(static_cast<int>(wait_max.count())); }
void Poller::turn() { turn_for(-1); }

void Poller::turn_for(int milliseconds) {
  const int count = epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), milliseconds);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    static_cast<Pollable*>(event.data.ptr)->ready(event.events);
  }
  ended_.clear();
}

StopSignal::StopSignal(Poller& poller) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = io::Descriptor(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  WEFT_CHECK(signals_.get() >= 0);
  WEFT_CHECK(poller.add(signals_.get(), EPOLLIN | EPOLLET, *this).has_value());
}

}  // namespace weft::bench
