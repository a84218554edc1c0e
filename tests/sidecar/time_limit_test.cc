#include "sidecar/time_limit.h"

#include <gtest/gtest.h>

namespace weft::sidecar {
namespace {

using namespace std::chrono_literals;

codec::Headers headers(std::string_view timeout) {
  codec::Headers made;
  if (!timeout.empty()) made.add("grpc-timeout", timeout);
  return made;
}

TEST(TimeLimit, IsTheEarlierOfTheCallersAndTheServices) {
  struct Row {
    const char* caller;
    bool grpc;
    std::optional<Duration> service;
    std::optional<Duration> expected;
    const char* reason;
  };
  const Row rows[] = {
      {"", true, std::nullopt, std::nullopt, ""},
      {"", true, 2s, 2s, "upstream-timeout"},
      {"500m", true, std::nullopt, 500ms, "caller-deadline"},
      {"500m", true, 2s, 500ms, "caller-deadline"},
      {"5S", true, 2s, 2s, "upstream-timeout"},
      {"2S", true, 2s, 2s, "upstream-timeout"},
      {"0n", true, 2s, 0s, "caller-deadline"},
      {"500m", false, 2s, 2s, "upstream-timeout"},
      {"500m", false, std::nullopt, std::nullopt, ""},
      {"soon", true, 2s, 2s, "upstream-timeout"},
      {"5", true, std::nullopt, std::nullopt, ""},
  };
  for (const Row& row : rows) {
    const TimeLimit limit(headers(row.caller), row.grpc, row.service);
    EXPECT_EQ(limit.whole(), row.expected) << row.caller;
    if (row.expected) {
      EXPECT_EQ(limit.exceeded().reason, row.reason) << row.caller;
      EXPECT_EQ(limit.exceeded().status, 504);
    }
  }
}

TEST(TimeLimit, TellsWhatIsLeftToWhomeverTheCallerWouldHaveTold) {
  codec::Headers request = headers("5S");
  TimeLimit(request, true, std::nullopt).announce(2s, request);
  EXPECT_EQ(request.get("grpc-timeout"), "3000000u");
  request = headers("5S");
  TimeLimit(request, true, 1s).announce(400ms, request);
  EXPECT_EQ(request.get("grpc-timeout"), "600000u") << "ours is over earlier";
  request = headers("");
  TimeLimit(request, true, 1s).announce(0s, request);
  EXPECT_FALSE(request.has("grpc-timeout")) << "the caller set none";
  request = headers("soon");
  TimeLimit(request, true, 1s).announce(0s, request);
  EXPECT_EQ(request.get("grpc-timeout"), "soon") << "as it came";
  request = headers("1S");
  TimeLimit(request, true, std::nullopt).announce(3s, request);
  EXPECT_EQ(request.get("grpc-timeout"), "0n");
}

TEST(TimeLimit, WithoutOneThereIsAlwaysTimeLeft) {
  const TimeLimit limit(headers(""), true, std::nullopt);
  EXPECT_EQ(limit.left(24h), Duration::max());
}

}  // namespace
}  // namespace weft::sidecar
