// Accepts connections and hands each on.
#pragma once

#include <functional>

#include "tests/bench/net/poller.h"
#include "tests/bench/net/sockets.h"

namespace weft::bench {

class Listener final : Pollable {
 public:
  using Accepted = std::function<void(Descriptor)>;
  // Borrows `poller`.
  Listener(Poller& poller, Accepted accepted) : poller_(poller), accepted_(std::move(accepted)) {}

  Status listen(const Address& address);
  // To be called when a connection has ended: its descriptor may be what the next one was waiting for.
  void descriptor_freed();

 private:
  void ready(std::uint32_t events) override;

  Poller& poller_;
  Accepted accepted_;
  Descriptor socket_;
  bool out_of_descriptors_ = false;
};

}  // namespace weft::bench
