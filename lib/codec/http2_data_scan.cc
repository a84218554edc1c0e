#include "codec/http2_data_scan.h"

#include <algorithm>
#include <cstring>

namespace weft::codec {

Http2DataScan::Piece Http2DataScan::next(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t skipped = std::min(skip_, bytes.size() - at);
    skip_ -= skipped;
    at += skipped;
    const std::size_t taken = std::min(head_size - held_, bytes.size() - at);
    std::memcpy(head_ + held_, bytes.data() + at, taken);
    held_ += taken;
    at += taken;
    if (held_ < head_size) break;
    held_ = 0;
    skip_ = static_cast<std::size_t>(head_[0]) << 16 | static_cast<std::size_t>(head_[1]) << 8 | head_[2];
    constexpr std::uint8_t data = 0;  // RFC 9113 § 6.1
    if (head_[3] != data) continue;
    // The first bit is reserved (RFC 9113 § 4.1).
    return {at, (head_[5] & 0x7f) << 24 | head_[6] << 16 | head_[7] << 8 | head_[8]};
  }
  return {at, std::nullopt};
}

}  // namespace weft::codec
