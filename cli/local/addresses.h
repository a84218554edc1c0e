// The addresses of a local mesh: 198.18.0.0/15 and 2001:2::/48 (RFC 2544, RFC 5180: never routed), so that no
// packet can be meant for a real host. Pure; one thread.
//   198.18.0.0/17    2001:2:0:1::/64    pods; .0.1 and ::1 are the node
//   198.18.128.0/17  2001:2:0:2::/64    ClusterIPs; the tenth of each is cluster DNS
//   198.19.0.0/16    2001:2:0:3::/64    the world outside the mesh
#pragma once

#include <cstdint>
#include <set>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace weft::local {

inline constexpr std::string_view pod_range_v4 = "198.18.0.0/17";
inline constexpr std::string_view pod_range_v6 = "2001:2:0:1::/64";
inline constexpr std::string_view service_range_v4 = "198.18.128.0/17";
inline constexpr std::string_view service_range_v6 = "2001:2:0:2::/64";
inline constexpr std::string_view outside_range_v4 = "198.19.0.0/16";
inline constexpr std::string_view outside_range_v6 = "2001:2:0:3::/64";

struct AddressPair {
  IpAddress v4;
  IpAddress v6;
  // What there is of it: IPv4, then IPv6 where the mesh has that.
  std::vector<IpAddress> list(bool ipv6 = true) const { return ipv6 ? std::vector{v4, v6} : std::vector{v4}; }
  bool operator==(const AddressPair&) const = default;
};

AddressPair node_addresses();
AddressPair dns_addresses();
// REQUIRES: 1 <= index <= 32766 (the hosts of a /17).
AddressPair pod_addresses(std::uint32_t index);
AddressPair service_addresses(std::uint32_t index);

// Hands out indexes, the least recently used last, so that an address does not change its owner at once.
class IndexPool {
 public:
  IndexPool(std::uint32_t first, std::uint32_t last) : first_(first), last_(last), next_(first) {}
  Result<std::uint32_t> take();  // limit: all are in use
  // A certain one, for a manifest that names its address. exists: it is in use; invalid: out of range.
  Status take(std::uint32_t index);
  void give_back(std::uint32_t index) { used_.erase(index); }

 private:
  std::uint32_t first_;
  std::uint32_t last_;
  std::uint32_t next_;
  std::set<std::uint32_t> used_;
};

inline constexpr std::uint32_t address_index_max = 32766;
inline constexpr std::uint32_t first_pod_index = 2;
inline constexpr std::uint32_t dns_index = 10;
inline constexpr std::uint32_t first_service_index = 16;

// The index of an address that a manifest asks for; nothing when it is outside the Service ranges.
Result<std::uint32_t> service_index_of(const IpAddress& address);

}  // namespace weft::local
