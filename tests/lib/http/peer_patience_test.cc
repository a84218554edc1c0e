#include "http/peer_patience.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/text.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;

const MonotonicTime begin = MonotonicTime() + 1h;

TEST(PeerPatience, KnowsNothingOfWhatNeverClosed) {
  PeerPatience patience;
  EXPECT_FALSE(patience.limit("a", begin));
  patience.closed_after("a", 4s, begin);
  EXPECT_FALSE(patience.limit("b", begin));
}

TEST(PeerPatience, IsAQuarterShorterThanTheShortestTimeSeen) {
  PeerPatience patience;
  patience.closed_after("a", 4s, begin);
  EXPECT_EQ(patience.limit("a", begin), 3s);
  patience.closed_after("a", 8s, begin);
  EXPECT_EQ(patience.limit("a", begin), 3s);
  patience.closed_after("a", 0s, begin);
  EXPECT_EQ(patience.limit("a", begin), 0s) << "a server that closes behind every answer";
}

TEST(PeerPatience, ForgetsWhatWasNotSeenAgain) {
  PeerPatience patience;
  patience.closed_after("a", 4s, begin);
  EXPECT_TRUE(patience.limit("a", begin + limits::peer_patience_memory - 1s));
  EXPECT_FALSE(patience.limit("a", begin + limits::peer_patience_memory));
  patience.closed_after("a", 8s, begin + limits::peer_patience_memory);
  EXPECT_EQ(patience.limit("a", begin + limits::peer_patience_memory), 6s) << "begun anew";
}

TEST(PeerPatience, HoldsNoMoreSlotsThanItsLimit) {
  PeerPatience patience;
  for (std::size_t i = 0; i <= limits::peer_patience_slots_max; ++i)
    patience.closed_after(str_cat(i), 4s, begin);
  EXPECT_TRUE(patience.limit("0", begin));
  EXPECT_FALSE(patience.limit(str_cat(limits::peer_patience_slots_max), begin));
  const MonotonicTime later = begin + limits::peer_patience_memory;
  patience.closed_after("new", 4s, later);
  EXPECT_TRUE(patience.limit("new", later)) << "what is forgotten makes room";
}

}  // namespace
}  // namespace weft::http
