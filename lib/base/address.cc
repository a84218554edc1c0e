#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

#include "base/text.h"

namespace weft {
namespace {

constexpr std::array<std::uint8_t, 12> v4_mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  std::array<std::uint8_t, 16> bytes{};
  if (in_addr v4_address{}; inet_pton(AF_INET, copy.c_str(), &v4_address) == 1) {
    return v4(ntohl(v4_address.s_addr));
  }
  if (inet_pton(AF_INET6, copy.c_str(), bytes.data()) == 1) return v6(bytes);
  return fail(Code::invalid, str_cat("'", text, "' is not an IP address"));
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress ip;
  const std::uint32_t network_order = htonl(host_order);
  std::memcpy(ip.bytes_.data(), &network_order, 4);
  return ip;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
  IpAddress ip;
  if (std::memcmp(bytes.data(), v4_mapped_prefix.data(), v4_mapped_prefix.size()) == 0) {
    std::memcpy(ip.bytes_.data(), bytes.data() + v4_mapped_prefix.size(), 4);
    return ip;
  }
  ip.is_v6_ = true;
  ip.bytes_ = bytes;
  return ip;
}

bool IpAddress::is_loopback() const {
  if (is_v4()) return bytes_[0] == 127;
  std::array<std::uint8_t, 16> loopback{};
  loopback[15] = 1;
  return bytes_ == loopback;
}

bool IpAddress::is_unspecified() const { return bytes_ == std::array<std::uint8_t, 16>{}; }

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(is_v6_ ? AF_INET6 : AF_INET, bytes_.data(), text, sizeof text);
  return text;
}

Result<Address> Address::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(Code::invalid, str_cat("'", text, "' has no port"));
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return fail(Code::invalid, str_cat("'", text, "' has an open bracket"));
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return fail(Code::invalid, str_cat("'", text, "': an IPv6 address with a port needs brackets"));
  }
  WEFT_ASSIGN(const IpAddress ip, IpAddress::parse(host));
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port) return fail(Code::invalid, str_cat("'", text, "' has no valid port"));
  return Address{ip, *port};
}

Result<Address> Address::from_sockaddr(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    return Address{IpAddress::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof v6);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return Address{IpAddress::v6(bytes), ntohs(v6.sin6_port)};
  }
  return fail(Code::invalid, str_cat("address family ", address->sa_family, " is neither IPv4 nor IPv6"));
}

socklen_t Address::to_sockaddr(sockaddr_storage& storage) const {
  std::memset(&storage, 0, sizeof storage);
  if (ip.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, ip.bytes().data(), 4);
    std::memcpy(&storage, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, ip.bytes().data(), 16);
  std::memcpy(&storage, &v6, sizeof v6);
  return sizeof v6;
}

std::string Address::to_string() const {
  return ip.is_v4() ? str_cat(ip.to_string(), ":", port) : str_cat("[", ip.to_string(), "]:", port);
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  WEFT_ASSIGN(const IpAddress ip, IpAddress::parse(text.substr(0, slash)));
  const std::uint8_t longest = ip.is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return Cidr{ip, longest};
  const auto prefix = parse_number<std::uint8_t>(text.substr(slash + 1));
  if (!prefix || *prefix > longest) {
    return fail(Code::invalid, str_cat("'", text, "': the prefix length must be 0 to ", int{longest}));
  }
  return Cidr{ip, *prefix};
}

bool Cidr::contains(const IpAddress& address) const {
  if (address.is_v4() != ip.is_v4()) return false;
  const std::size_t whole_bytes = prefix_bits / 8;
  if (std::memcmp(ip.bytes().data(), address.bytes().data(), whole_bytes) != 0) return false;
  const int rest_bits = prefix_bits % 8;
  if (rest_bits == 0) return true;
  const std::uint8_t mask = static_cast<std::uint8_t>(0xff << (8 - rest_bits));
  return (ip.bytes()[whole_bytes] & mask) == (address.bytes()[whole_bytes] & mask);
}

std::string Cidr::to_string() const { return str_cat(ip.to_string(), "/", int{prefix_bits}); }

}  // namespace weft

std::size_t std::hash<weft::IpAddress>::operator()(const weft::IpAddress& ip) const noexcept {
  std::uint64_t words[2];
  std::memcpy(words, ip.bytes().data(), sizeof words);
  std::uint64_t mixed =
      words[0] * 0x9e3779b97f4a7c15u ^ (words[1] + (ip.is_v6() ? 1 : 0)) * 0xbf58476d1ce4e5b9u;
  return mixed ^ (mixed >> 29);
}

std::size_t std::hash<weft::Address>::operator()(const weft::Address& address) const noexcept {
  return std::hash<weft::IpAddress>()(address.ip) * 31 + address.port;
}
