#include "base/spiffe_id.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(SpiffeId, ReadsAndWritesTheWorkloadForm) {
  const SpiffeId id = *SpiffeId::parse("spiffe://cluster.local/ns/default/sa/hello");
  EXPECT_EQ(id, (SpiffeId{"cluster.local", "default", "hello"}));
  EXPECT_EQ(id.to_string(), "spiffe://cluster.local/ns/default/sa/hello");
}

TEST(SpiffeId, RefusesEveryOtherForm) {
  for (const char* uri : {
           "",
           "spiffe://",
           "https://cluster.local/ns/a/sa/b",
           "spiffe://cluster.local",
           "spiffe://cluster.local/ns/a/sa",
           "spiffe://cluster.local/ns/a/sa/b/",
           "spiffe://cluster.local/ns//sa/b",
           "spiffe:///ns/a/sa/b",
           "spiffe://Cluster.local/ns/a/sa/b",
           "spiffe://cluster.local:1/ns/a/sa/b",
           "spiffe://u@cluster.local/ns/a/sa/b",
           "spiffe://cluster.local/ns/a/sa/b?x",
           "spiffe://cluster.local/ns/a/sa/b#x",
           "spiffe://cluster.local/ns/%61/sa/b",
           "spiffe://cluster.local/sa/b/ns/a",
           "SPIFFE://cluster.local/ns/a/sa/b",
           "spiffe://cluster.local/ns/a/sa/b/c",
       }) {
    EXPECT_FALSE(SpiffeId::parse(uri)) << uri;
  }
}

}  // namespace
}  // namespace weft
