#include "base/buffer.h"

#include <string>

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(Buffer, IsAQueue) {
  Buffer buffer;
  buffer.append("hello ");
  buffer.append("world");
  buffer.consume(6);
  EXPECT_EQ(buffer.view(), "world");
  buffer.append("!");
  EXPECT_EQ(buffer.view(), "world!");
}

TEST(Buffer, KeepsItsBytesWhileItGrowsAndMoves) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; i < 2000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 37), static_cast<char>('a' + i % 26));
    buffer.append(piece);
    expected += piece;
    const std::size_t taken = expected.size() / 3;
    buffer.consume(taken);
    expected.erase(0, taken);
    ASSERT_EQ(buffer.view(), expected);
  }
}

TEST(Buffer, GivesLargeMemoryBackAndIsUsedAgain) {
  Buffer buffer;
  for (int round = 0; round < 3; ++round) {
    buffer.append(std::string(100'000, 'a'));
    buffer.append("b");
    buffer.consume(100'000);
    EXPECT_EQ(buffer.view(), "b");
    buffer.consume(1);
    EXPECT_TRUE(buffer.empty());
    EXPECT_EQ(buffer.view().data(), nullptr);
  }
  buffer.clear();
  EXPECT_EQ(buffer.size(), 0u);
}

}  // namespace
}  // namespace weft
