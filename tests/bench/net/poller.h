// epoll, and who is told. One thread.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "io/descriptor.h"

namespace weft::bench {

class Pollable {
 public:
  virtual ~Pollable() = default;
  // EPOLLIN and so on. May come once more in the turn in which the descriptor was closed.
  virtual void ready(std::uint32_t events) = 0;
};

// A stream socket's whole life with one epoll_ctl: edge-triggered, EPOLLOUT comes only after a send fell
// short.
constexpr std::uint32_t stream_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

class Poller {
 public:
  Poller();

  // Borrows `pollable` until the descriptor is closed.
  Status add(int fd, std::uint32_t events, Pollable& pollable);
  // Also reports what is ready already: an edge-triggered reader that stopped half-way is called again.
  void change(int fd, std::uint32_t events, Pollable& pollable);

  // Waits once, tells everybody that is ready.
  void turn(std::chrono::milliseconds wait_max);
  void turn();  // however long it takes

  // For what ends inside its own callback: it lives on to the end of the turn.
  void delete_later(std::unique_ptr<Pollable> ended) { ended_.push_back(std::move(ended)); }

 private:
  void turn_for(int milliseconds);

  io::Descriptor epoll_;
  std::array<epoll_event, 256> events_;
  std::vector<std::unique_ptr<Pollable>> ended_;
};

// SIGTERM or SIGINT, as a flag to look at after every turn.
class StopSignal final : Pollable {
 public:
  explicit StopSignal(Poller& poller);
  bool received() const { return received_; }

 private:
  void ready(std::uint32_t) override { received_ = true; }

  io::Descriptor signals_;
  bool received_ = false;
};

}  // namespace weft::bench
