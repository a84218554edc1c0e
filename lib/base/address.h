// IP addresses, sockets' addresses and CIDR blocks, as values. IPv4 and IPv6.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weft {

class IpAddress {
 public:
  IpAddress() = default;                                  // 0.0.0.0
  static Result<IpAddress> parse(std::string_view text);  // "198.18.0.1", "2001:2::1"; no brackets, no zone
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);  // an IPv4-mapped one becomes IPv4

  bool is_v4() const { return !is_v6_; }
  bool is_v6() const { return is_v6_; }
  bool is_loopback() const;
  bool is_unspecified() const;
  // Network order; IPv4 uses the first four.
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  std::string to_string() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  bool is_v6_ = false;
  std::array<std::uint8_t, 16> bytes_{};
};

struct Address {
  IpAddress ip;
  std::uint16_t port = 0;

  static Result<Address> parse(std::string_view text);  // "198.18.0.1:80", "[2001:2::1]:80"
  static Result<Address> from_sockaddr(const sockaddr* address);
  // Fills `storage`; the length to hand to the kernel.
  socklen_t to_sockaddr(sockaddr_storage& storage) const;
  std::string to_string() const;

  auto operator<=>(const Address&) const = default;
};

struct Cidr {
  IpAddress ip;
  std::uint8_t prefix_bits = 0;

  static Result<Cidr> parse(std::string_view text);  // "198.18.0.0/15"; a bare address is a block of one
  bool contains(const IpAddress& address) const;
  std::string to_string() const;

  bool operator==(const Cidr&) const = default;
};

}  // namespace weft

template <>
struct std::hash<weft::IpAddress> {
  std::size_t operator()(const weft::IpAddress& ip) const noexcept;
};
template <>
struct std::hash<weft::Address> {
  std::size_t operator()(const weft::Address& address) const noexcept;
};
