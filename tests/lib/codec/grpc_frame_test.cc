#include "codec/grpc_frame.h"

#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"

namespace weft::codec {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

std::string frame(std::string_view message) {
  std::string out;
  write_grpc_frame(out, message);
  return out;
}

// Feeds one cut after the other, as a connection would, and gives what came out.
std::vector<std::string> read_all(GrpcFrameReader& reader, const std::vector<std::string_view>& cuts) {
  std::vector<std::string> messages;
  for (std::string_view cut : cuts) {
    do {
      const auto used = reader.feed(cut);
      EXPECT_TRUE(used.has_value());
      if (!used) return messages;
      cut.remove_prefix(*used);
      if (reader.message_ready()) messages.push_back(reader.take());
    } while (!cut.empty());
  }
  return messages;
}

const std::vector<std::string> sample = {"", "a", std::string(5, '\0'), std::string(70000, 'x'), "last"};

std::string sample_bytes() {
  std::string bytes;
  for (const std::string& message : sample) write_grpc_frame(bytes, message);
  return bytes;
}

TEST(GrpcFrame, PrefixIsAZeroByteAndFourBytesOfLength) {
  EXPECT_EQ(frame("abc"), "\0\0\0\0\3abc"s);
  EXPECT_EQ(frame(std::string(0x10203, 'x')).substr(0, 5), "\0\0\1\2\3"s);
}

TEST(GrpcFrame, ReadsMessagesFedWhole) {
  GrpcFrameReader reader;
  EXPECT_EQ(read_all(reader, {sample_bytes()}), sample);
  EXPECT_TRUE(reader.at_boundary());
}

TEST(GrpcFrame, ReadsMessagesFedByteByByteWithEmptyCutsBetween) {
  const std::string bytes = sample_bytes();
  std::vector<std::string_view> cuts;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    cuts.push_back(std::string_view(bytes).substr(i, 1));
    if (i % 3 == 0) cuts.emplace_back();
  }
  GrpcFrameReader reader;
  EXPECT_EQ(read_all(reader, cuts), sample);
}

TEST(GrpcFrame, ReadsMessagesHoweverTheyAreCut) {
  const std::string bytes = sample_bytes();
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SeededRandom random(seed);
    std::vector<std::string_view> cuts;
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(random.below(seed % 2 == 0 ? 12 : 30000), rest.size());
      cuts.push_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    GrpcFrameReader reader;
    EXPECT_EQ(read_all(reader, cuts), sample) << "seed " << seed;
  }
}

TEST(GrpcFrame, APartOfAMessageIsNoBoundary) {
  GrpcFrameReader reader;
  ASSERT_TRUE(reader.feed("\0\0"s));
  EXPECT_FALSE(reader.at_boundary());
  ASSERT_TRUE(reader.feed("\0\0\2x"s));
  EXPECT_FALSE(reader.at_boundary());
  EXPECT_FALSE(reader.message_ready());
  ASSERT_TRUE(reader.feed("y"));
  EXPECT_EQ(reader.take(), "xy");
  EXPECT_TRUE(reader.at_boundary());
}

TEST(GrpcFrame, RefusesACompressedMessage) {
  GrpcFrameReader reader;
  const auto used = reader.feed("\1"s);
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, Code::invalid);
}

TEST(GrpcFrame, RefusesAMessageAboveTheLimitBeforeItsFirstByte) {
  GrpcFrameReader reader(1000);
  EXPECT_TRUE(reader.feed("\0\0\0\3\xe8"s));  // 1000
  GrpcFrameReader other(1000);
  const auto used = other.feed("\0\0\0\3\xe9"s);
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, Code::limit);
  EXPECT_EQ(other.held_bytes(), 0u);
}

TEST(GrpcMessage, EncodesWhatIsNotPrintableAscii) {
  EXPECT_EQ(encode_grpc_message("a b~"), "a b~");
  EXPECT_EQ(encode_grpc_message("100%\n\xc3\xa9\x7f"), "100%25%0A%C3%A9%7F");
}

TEST(GrpcMessage, DecodesWhatItEncodedForEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_EQ(decode_grpc_message(encode_grpc_message(all)), all);
}

TEST(GrpcMessage, LeavesBrokenEncodingAsItIs) {
  EXPECT_EQ(decode_grpc_message("%"), "%");
  EXPECT_EQ(decode_grpc_message("%4"), "%4");
  EXPECT_EQ(decode_grpc_message("%zz%41"), "%zzA");
  EXPECT_EQ(decode_grpc_message("%4g"), "%4g");
}

TEST(GrpcTimeout, FormatsInTheFinestUnitOfEightDigitsRoundedUp) {
  EXPECT_EQ(format_grpc_timeout(-1s), "0n");
  EXPECT_EQ(format_grpc_timeout(1ns), "1n");
  EXPECT_EQ(format_grpc_timeout(99'999'999ns), "99999999n");
  EXPECT_EQ(format_grpc_timeout(100'000'001ns), "100001u");
  EXPECT_EQ(format_grpc_timeout(10s), "10000000u");
  EXPECT_EQ(format_grpc_timeout(1h), "3600000m");
  EXPECT_EQ(format_grpc_timeout(Duration::max()), "2562048H");
}

TEST(GrpcTimeout, ParsesEveryUnit) {
  EXPECT_EQ(parse_grpc_timeout("1n"), 1ns);
  EXPECT_EQ(parse_grpc_timeout("2u"), 2us);
  EXPECT_EQ(parse_grpc_timeout("3m"), 3ms);
  EXPECT_EQ(parse_grpc_timeout("4S"), 4s);
  EXPECT_EQ(parse_grpc_timeout("5M"), 5min);
  EXPECT_EQ(parse_grpc_timeout("6H"), 6h);
  EXPECT_EQ(parse_grpc_timeout("99999999H"), Duration::max());
}

TEST(GrpcTimeout, RefusesWhatIsNotOne) {
  for (const char* text : {"", "S", "1", "1s", "-1S", "1.5S", " 1S", "123456789S", "1SS"}) {
    EXPECT_EQ(parse_grpc_timeout(text), std::nullopt) << text;
  }
}

TEST(GrpcCode, NamesAndNumbersAgree) {
  EXPECT_EQ(parse_grpc_code("0"), GrpcCode::ok);
  EXPECT_EQ(parse_grpc_code("16"), GrpcCode::unauthenticated);
  EXPECT_EQ(parse_grpc_code("17"), GrpcCode::unknown);
  EXPECT_EQ(parse_grpc_code(""), std::nullopt);
  EXPECT_EQ(parse_grpc_code("-1"), std::nullopt);
  EXPECT_EQ(grpc_code_name(GrpcCode::permission_denied), "PERMISSION_DENIED");
  EXPECT_EQ((GrpcStatus{GrpcCode::unavailable, "not now"}).to_string(), "UNAVAILABLE: not now");
}

TEST(GrpcCode, FollowsHttpStatusAndResetCode) {
  EXPECT_EQ(grpc_code_of_http_status(404), GrpcCode::unimplemented);
  EXPECT_EQ(grpc_code_of_http_status(503), GrpcCode::unavailable);
  EXPECT_EQ(grpc_code_of_http_status(418), GrpcCode::unknown);
  EXPECT_EQ(grpc_code_of_reset(7), GrpcCode::unavailable);
  EXPECT_EQ(grpc_code_of_reset(8), GrpcCode::cancelled);
  EXPECT_EQ(grpc_code_of_reset(11), GrpcCode::resource_exhausted);
  EXPECT_EQ(grpc_code_of_reset(1), GrpcCode::internal);
}

}  // namespace
}  // namespace weft::codec
