// HTTP/2 frames byte by byte, for what no session of ours would send.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weft::test {

inline std::string raw_frame(std::uint8_t type, std::uint8_t flags, std::int32_t stream,
                             std::string_view payload) {
  std::string out;
  for (int shift = 16; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(payload.size() >> shift & 0xff));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(stream >> shift & 0xff));
  return out.append(payload);
}

// What a client begins with: the magic, and SETTINGS that differ from the defaults in nothing.
inline std::string http2_preface() {
  constexpr std::uint8_t settings = 4;
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + raw_frame(settings, 0, 0, "");
}

}  // namespace weft::test
