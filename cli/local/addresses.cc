#include "cli/local/addresses.h"

#include <array>

#include "base/text.h"

namespace weft::local {
namespace {

constexpr std::uint32_t network_v4 = (198u << 24) | (18u << 16);
constexpr std::uint32_t services_v4 = network_v4 | 0x8000u;

IpAddress v6_of(std::uint8_t subnet, std::uint32_t index) {
  std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x00, 0x02};
  bytes[7] = subnet;
  bytes[14] = static_cast<std::uint8_t>(index >> 8);
  bytes[15] = static_cast<std::uint8_t>(index);
  return IpAddress::v6(bytes);
}

}  // namespace

AddressPair node_addresses() { return pod_addresses(1); }

AddressPair dns_addresses() { return service_addresses(dns_index); }

AddressPair pod_addresses(std::uint32_t index) {
  return {IpAddress::v4(network_v4 | index), v6_of(1, index)};
}

AddressPair service_addresses(std::uint32_t index) {
  return {IpAddress::v4(services_v4 | index), v6_of(2, index)};
}

Result<std::uint32_t> IndexPool::take() {
  for (std::uint32_t tries = last_ - first_ + 1; tries > 0; --tries) {
    const std::uint32_t index = next_;
    next_ = next_ == last_ ? first_ : next_ + 1;
    if (used_.insert(index).second) return index;
  }
  return fail(Code::limit, str_cat("all ", last_ - first_ + 1, " addresses are in use"));
}

Status IndexPool::take(std::uint32_t index) {
  if (index < 1 || index > last_) return fail(Code::invalid, "the address is out of range");
  if (!used_.insert(index).second) return fail(Code::exists, "the address is in use");
  return {};
}

Result<std::uint32_t> service_index_of(const IpAddress& address) {
  const auto& bytes = address.bytes();
  const std::uint32_t low = address.is_v4() ? (std::uint32_t{bytes[2]} << 8 | bytes[3]) & 0x7fffu
                                            : (std::uint32_t{bytes[14]} << 8 | bytes[15]);
  if (low >= 1 && low <= address_index_max) {
    const AddressPair pair = service_addresses(low);
    if (address == pair.v4 || address == pair.v6) return low;
  }
  return fail(Code::invalid, str_cat(address.to_string(), " is outside the ClusterIP ranges ",
                                     service_range_v4, " and ", service_range_v6));
}

}  // namespace weft::local
