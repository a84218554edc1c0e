#include "codec/http2_head.h"

#include <gtest/gtest.h>

namespace weft::codec {
namespace {

TEST(Http2Head, BecomesARequest) {
  Http2Head block(1000, 10);
  block.begin();
  for (const auto& [name, value] : {std::pair{":method", "GET"},
                                    {":scheme", "https"},
                                    {":authority", "a"},
                                    {":path", "/x"},
                                    {"accept", "*/*"}}) {
    EXPECT_TRUE(block.add(name, value));
  }
  const RequestHead head = block.take_request();
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.scheme, "https");
  EXPECT_EQ(head.authority, "a");
  EXPECT_EQ(head.target, "/x");
  EXPECT_EQ(head.version, Version::http2);
  EXPECT_EQ(head.headers.fields(), (std::vector<Header>{{"accept", "*/*"}}));
}

TEST(Http2Head, BecomesAResponseOrTrailers) {
  Http2Head block(1000, 10);
  block.begin();
  EXPECT_TRUE(block.add(":status", "204"));
  EXPECT_TRUE(block.add("server", "s"));
  EXPECT_EQ(block.status(), 204);
  const ResponseHead head = block.take_response();
  EXPECT_EQ(head.status, 204);
  EXPECT_EQ(head.version, Version::http2);
  EXPECT_EQ(head.headers.fields(), (std::vector<Header>{{"server", "s"}}));
  block.begin();
  EXPECT_TRUE(block.add("grpc-status", "0"));
  EXPECT_EQ(block.status(), 0) << "of the block before";
  EXPECT_EQ(block.take_trailers().fields(), (std::vector<Header>{{"grpc-status", "0"}}));
}

// Each field counts with 32 bytes beside its name and value (RFC 9113 § 6.5.2).
TEST(Http2Head, LimitsItsBytes) {
  Http2Head block(2 * (1 + 1 + 32), 10);
  for (int times = 0; times < 2; ++times) {
    block.begin();
    EXPECT_TRUE(block.add("a", "1"));
    EXPECT_TRUE(block.add("b", "2"));
  }
  block.begin();
  EXPECT_TRUE(block.add("a", "1"));
  EXPECT_FALSE(block.add("b", "22"));
  Http2Head small(31, 10);
  small.begin();
  EXPECT_FALSE(small.add("", ""));
}

TEST(Http2Head, LimitsItsFieldsButNotItsPseudoFields) {
  Http2Head block(10000, 2);
  block.begin();
  EXPECT_TRUE(block.add(":method", "GET"));
  EXPECT_TRUE(block.add(":path", "/"));
  EXPECT_TRUE(block.add("a", "1"));
  EXPECT_TRUE(block.add("a", "2"));
  EXPECT_FALSE(block.add("a", "3"));
}

}  // namespace
}  // namespace weft::codec
