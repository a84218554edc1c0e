// The payload of a PING frame as a number, and back (RFC 9113 § 6.7).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weft::codec {

inline std::array<std::uint8_t, 8> ping_bytes(std::uint64_t payload) {
  std::array<std::uint8_t, 8> bytes{};
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(payload >> (56 - 8 * i));
  return bytes;
}

inline std::uint64_t ping_payload(const std::uint8_t* bytes) {
  std::uint64_t payload = 0;
  for (std::size_t i = 0; i < 8; ++i) payload = payload << 8 | bytes[i];
  return payload;
}

}  // namespace weft::codec
