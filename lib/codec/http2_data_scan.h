// Finds the heads of DATA frames in what a peer sends: nghttp2 drops those on closed streams without a word.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::codec {

class Http2DataScan {
 public:
  // `skip`: bytes in front of the first frame (the client's preface).
  explicit Http2DataScan(std::size_t skip) : skip_(skip) {}

  struct Piece {
    std::size_t size = 0;                     // of the bytes looked at
    std::optional<std::int32_t> data_stream;  // they end with the head of a DATA frame of this stream
  };
  // How far `bytes` go on without the head of a DATA frame, or up to the end of the next one.
  Piece next(std::string_view bytes);

 private:
  static constexpr std::size_t head_size = 9;

  std::size_t skip_;  // up to the next frame
  std::size_t held_ = 0;
  std::uint8_t head_[head_size]{};
};

}  // namespace weft::codec
