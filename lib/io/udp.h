// A bound UDP socket on a loop. Single thread.
#pragma once

#include <memory>
#include <string_view>

#include "base/address.h"
#include "base/callback.h"
#include "base/result.h"

namespace weft::io {

class UvLoop;

// Destroying it closes.
class UdpSocket {
 public:
  virtual ~UdpSocket() = default;
  virtual const Address& local_address() const = 0;
  // At once or not at all: what the kernel does not take is lost, as datagrams may be.
  virtual void send(const Address& to, std::string_view datagram) = 0;
};

// The view lives during the call only. Datagrams above limits::read_chunk_bytes are cut.
Result<std::unique_ptr<UdpSocket>> bind_udp(
    UvLoop& loop, const Address& address,
    Function<void(const Address& from, std::string_view datagram)> received);

}  // namespace weft::io
