#include "tests/sim/sim_network.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_loop.h"
#include "tests/support/stream_recorder.h"

namespace weft::sim {
namespace {

using namespace std::chrono_literals;

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

// A caller and a server on two hosts, and what one run of bytes between them looked like.
struct World {
  explicit World(std::uint64_t seed, const NetworkOptions& options = NetworkOptions::calm())
      : net(seed, options) {}

  bool connect(const Address& to = {ip("198.18.0.2"), 80}) {
    if (!listener) {
      listener =
          server.listen({ip("198.18.0.2"), 80}, {}, [this](auto stream) { far.take(std::move(stream)); })
              .value();
    }
    connecting = caller.connect(to, {}, [this](auto result) {
      if (result) {
        near.take(std::move(*result));
      } else {
        error = result.error();
      }
    });
    return net.run_until([this] { return (near.stream && far.stream) || error; }) && !error;
  }

  SimNetwork net;
  SimLoop& caller = net.add_loop({ip("198.18.0.1")});
  SimLoop& server = net.add_loop({ip("198.18.0.2")});
  test::StreamRecorder near;
  test::StreamRecorder far;
  std::unique_ptr<io::Listener> listener;
  std::unique_ptr<io::Connecting> connecting;
  std::optional<Error> error;
};

// Several events in a turn, and what was deferred behind the last of them.
TEST(SimNetwork, ALoopThatComesLateFindsWhatElseHasHappened) {
  NetworkOptions options;
  options.late_chance = 1;
  options.late_max = 10ms;
  SimNetwork net(1, options);
  SimLoop& loop = net.add_loop({ip("198.18.0.1")});
  std::string order;
  std::vector<std::unique_ptr<io::Timer>> timers;
  for (const char* name : {"a", "b", "c"}) {
    timers.push_back(loop.make_timer([&, name] {
      order += name;
      loop.defer([&] { order += '.'; });
      if (*name == 'a') timers[1]->stop();
    }));
    timers.back()->start(1us);
  }
  net.advance(1s);
  EXPECT_EQ(order, "ac..") << "b was stopped in the same turn";
}

// When each piece arrived and how long it was.
std::vector<std::pair<MonotonicTime, std::size_t>> arrivals(std::uint64_t seed) {
  World world(seed);
  EXPECT_TRUE(world.connect());
  world.near.stream->write(std::string(100'000, 'x'));
  std::vector<std::pair<MonotonicTime, std::size_t>> pieces;
  EXPECT_TRUE(world.net.run_until([&] {
    if (pieces.empty() ? !world.far.data.empty() : world.far.data.size() != pieces.back().second) {
      pieces.emplace_back(world.net.now(), world.far.data.size());
    }
    return world.far.data.size() == 100'000;
  }));
  return pieces;
}

TEST(SimNetworkTest, TheSameSeedGivesTheSameRunAndAnotherAnother) {
  EXPECT_EQ(arrivals(7), arrivals(7));
  EXPECT_NE(arrivals(7), arrivals(8));
  EXPECT_GT(arrivals(7).size(), 3u) << "bytes are cut on their way";
}

TEST(SimNetworkTest, NoMoreTravelsThanTheOptionsAllow) {
  World world(1);
  ASSERT_TRUE(world.connect());
  world.far.stream->pause();
  const std::size_t limit = world.net.options().in_flight_bytes_max;
  world.near.stream->write(std::string(limit + 5'000, 'x'));
  world.net.advance(10s);
  EXPECT_EQ(world.near.stream->queued_bytes(), 5'000u);
  world.far.stream->resume();
  EXPECT_TRUE(world.net.run_until([&] { return world.far.data.size() == limit + 5'000; }));
}

TEST(SimNetworkTest, ABreakIsSeenAtBothEnds) {
  World world(1);
  ASSERT_TRUE(world.connect());
  world.net.options().reset_chance = 1;
  world.near.stream->write("x");
  ASSERT_TRUE(world.net.run_until([&] { return world.near.failures == 1 && world.far.failures == 1; }));
  EXPECT_EQ(world.far.data, "");
}

TEST(SimNetworkTest, ATruncatedDirectionEndsWhileTheOtherGoesOn) {
  World world(1);
  ASSERT_TRUE(world.connect());
  world.net.options().truncate_chance = 1;
  world.near.stream->write("lost");
  ASSERT_TRUE(world.net.run_until([&] { return world.far.ends == 1; }));
  EXPECT_EQ(world.far.data, "");
  world.net.options().truncate_chance = 0;
  world.far.stream->write("still there");
  EXPECT_TRUE(world.net.run_until([&] { return world.near.data == "still there"; }));
}

TEST(SimNetworkTest, StallsDelayWhatFollowsButKeepTheOrder) {
  World world(1);
  ASSERT_TRUE(world.connect());
  const auto started = world.net.now();
  world.net.options().stall_chance = 1;
  world.near.stream->write("first ");
  world.net.advance(1us);
  world.net.options().stall_chance = 0;
  world.near.stream->write("second");
  ASSERT_TRUE(world.net.run_until([&] { return world.far.data.size() == 12; }));
  EXPECT_EQ(world.far.data, "first second");
  EXPECT_GT(world.net.now() - started, 10ms);
}

TEST(SimNetworkTest, AHostThatIsDownAnswersNothingAndIsHeardAgainLater) {
  World world(1);
  ASSERT_TRUE(world.connect());
  world.net.set_down(ip("198.18.0.2"), true);
  world.near.stream->write("waits");
  std::optional<Error> second;
  const auto attempt =
      world.caller.connect({ip("198.18.0.2"), 80}, {}, [&](auto result) { second = result.error(); });
  world.net.advance(6s);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->code, Code::timeout);
  EXPECT_EQ(second->message, "connect 198.18.0.2:80: no answer within 5000 ms");
  EXPECT_EQ(world.far.data, "");
  world.net.set_down(ip("198.18.0.2"), false);
  EXPECT_TRUE(world.net.run_until([&] { return world.far.data == "waits"; }));
}

TEST(SimNetworkTest, WhatWaitedForAHostIsNotOvertakenByWhatFollows) {
  World world(1);
  ASSERT_TRUE(world.connect());
  world.net.set_down(ip("198.18.0.2"), true);
  world.near.stream->write("first, ");
  world.net.advance(10ms);
  world.net.set_down(ip("198.18.0.2"), false);
  world.near.stream->write("second");
  world.near.stream->end();
  EXPECT_TRUE(world.net.run_until([&] { return world.far.over(); }));
  EXPECT_EQ(world.far.data, "first, second");
}

TEST(SimNetworkTest, ARedirectedConnectionKnowsWhereItWasGoing) {
  World world(1);
  world.net.set_redirect(
      [](const SimLoop&, const Address& to, const io::ConnectOptions& options) -> std::optional<Address> {
        if (options.mark != 0 || to.port != 8080) return std::nullopt;
        return Address{IpAddress::parse("198.18.0.2").value(), 80};
      });
  const Address asked{ip("203.0.113.9"), 8080};
  ASSERT_TRUE(world.connect(asked));
  EXPECT_EQ(world.far.stream->original_destination().value(), asked);
  EXPECT_EQ(world.near.stream->peer_address(), asked);
}

TEST(SimNetworkTest, LoopbackStaysOnItsHost) {
  World world(1);
  const auto listener = world.server.listen({ip("127.0.0.1"), 15000}, {}, [](auto) {}).value();
  EXPECT_FALSE(world.connect({ip("127.0.0.1"), 15000}));
  EXPECT_EQ(world.error->code, Code::refused);
}

TEST(SimNetworkTest, CountsOpenConnections) {
  World world(1);
  EXPECT_EQ(world.net.open_connections(), 0u);
  ASSERT_TRUE(world.connect());
  EXPECT_EQ(world.net.open_connections(), 1u);
  world.near.stream.reset();
  world.far.stream.reset();
  EXPECT_EQ(world.net.open_connections(), 0u);
}

// Under every seed: what is written arrives whole and in order, or the end that waits is told.
TEST(SimNetworkTest, RoughOrNotEveryTransferEndsOnce) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed, NetworkOptions::rough());
    if (!world.connect()) continue;
    std::string sent;
    for (int i = 0; i < 40'000; ++i) sent += static_cast<char>('a' + i % 23);
    world.near.stream->write(sent);
    world.near.stream->end();
    ASSERT_TRUE(world.net.run_until([&] { return world.far.over(); }));
    world.net.advance(1min);
    EXPECT_EQ(world.far.ends + world.far.failures, 1);
    EXPECT_EQ(world.far.data, sent.substr(0, world.far.data.size()));
    if (world.far.ends == 1) {
      EXPECT_EQ(world.far.data.size(), sent.size());
    }
  }
}

TEST(SimLoopTest, TheWallClockIsSetAndGoesWithTheOther) {
  SimLoop loop;
  const WallTime noon = WallTime(std::chrono::hours(500'000));
  loop.set_wall(noon);
  loop.advance(90s);
  EXPECT_EQ(loop.wall_now(), noon + 90s);
}

TEST(SimLoopTest, AdvanceRunsWhatIsDueAndStopsThere) {
  SimLoop loop;
  const auto start = loop.now();
  std::vector<Duration> fired;
  const auto soon = loop.make_timer([&] { fired.push_back(loop.now() - start); });
  const auto late = loop.make_timer([&] { fired.push_back(loop.now() - start); });
  soon->start(10s);
  late->start(20s);
  loop.advance(15s);
  EXPECT_EQ(fired, (std::vector<Duration>{10s}));
  EXPECT_EQ(loop.now() - start, 15s);
}

TEST(SimLoopTest, RunUntilGivesUpWhenNothingIsLeftToHappen) {
  SimLoop loop;
  EXPECT_FALSE(loop.run_until([] { return false; }));
}

}  // namespace
}  // namespace weft::sim
