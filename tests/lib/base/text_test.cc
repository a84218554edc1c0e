#include "base/text.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(Base64, KnowsTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64_encode(plain), encoded);
    EXPECT_EQ(*base64_decode(encoded), plain);
    EXPECT_EQ(*base64url_decode(encoded), plain);
  }
}

TEST(Base64, RefusesWhatHasTwoReadings) {
  for (const char* text : {"Zg=", "Zg", "Zh==", "Z===", "Zm9v\n", "Zm 9", "Zm9_"})
    EXPECT_FALSE(base64_decode(text)) << text;
}

TEST(ParseNumber, TakesOnlyWholeDecimalNumbersInRange) {
  EXPECT_EQ(parse_number<std::uint16_t>("65535"), 65535);
  for (const char* text : {"", "65536", "-1", "+1", " 1", "1 ", "0x1"})
    EXPECT_FALSE(parse_number<std::uint16_t>(text)) << text;
}

TEST(Printable, HidesControlBytesAndCutsLongText) {
  EXPECT_EQ(printable("a\n\xff"), "a\\x0a\\xff");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

TEST(IsUtf8, TakesWhatTheRfcCallsSoAndNothingElse) {
  for (const char* text : {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(text)) << printable(text);
  for (const char* text : {"\x80", "\xc3", "\xc3(", "\xc0\xaf", "\xe0\x80\xaf", "\xe2\x82", "\xed\xa0\x80",
                           "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"})
    EXPECT_FALSE(is_utf8(text)) << printable(text);
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
}

TEST(Split, KeepsEmptyPieces) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
}

}  // namespace
}  // namespace weft
