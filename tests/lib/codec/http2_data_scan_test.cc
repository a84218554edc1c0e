#include "codec/http2_data_scan.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/support/http2_frame.h"

namespace weft::codec {
namespace {

using test::raw_frame;

constexpr std::uint8_t type_data = 0, type_headers = 1;

// The streams whose DATA is found when `bytes` come in pieces of `cut`.
std::vector<std::int32_t> found(std::string_view bytes, std::size_t cut, std::size_t preface) {
  Http2DataScan scan(preface);
  std::vector<std::int32_t> streams;
  for (std::size_t begin = 0; begin < bytes.size(); begin += cut) {
    std::string_view piece = bytes.substr(begin, cut);
    while (!piece.empty()) {
      const Http2DataScan::Piece next = scan.next(piece);
      if (next.data_stream) streams.push_back(*next.data_stream);
      piece.remove_prefix(next.size);
    }
  }
  return streams;
}

TEST(Http2DataScan, FindsTheHeadsOfDataFramesHoweverTheyAreCut) {
  const std::string bytes = "PREFACE" + raw_frame(type_headers, 0, 1, "head") +
                            raw_frame(type_data, 0, 1, "body") + raw_frame(type_data, 0, 0x12345, "") +
                            raw_frame(type_headers, 0, 3, std::string(70000, '\0')) +
                            raw_frame(type_data, 1, 3, std::string(70000, '\0'));
  const std::vector<std::int32_t> expected = {1, 0x12345, 3};
  for (const std::size_t cut :
       {std::size_t{1}, std::size_t{7}, std::size_t{10}, std::size_t{4096}, bytes.size()})
    EXPECT_EQ(found(bytes, cut, 7), expected) << cut;
}

TEST(Http2DataScan, APieceEndsWithTheHeadThatWasFound) {
  const std::string head = raw_frame(type_headers, 0, 1, "head");
  const std::string bytes = head + raw_frame(type_data, 0, 1, "body");
  Http2DataScan scan(0);
  const Http2DataScan::Piece first = scan.next(bytes);
  EXPECT_EQ(first.size, head.size() + 9);
  EXPECT_EQ(first.data_stream, 1);
  const Http2DataScan::Piece second = scan.next(bytes.substr(first.size));
  EXPECT_EQ(second.size, 4u);
  EXPECT_EQ(second.data_stream, std::nullopt);
}

}  // namespace
}  // namespace weft::codec
