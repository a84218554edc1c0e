// What is heard of the peer of a stream that nobody reads.
#include <memory>
#include <string>

#include "tests/lib/io/rig.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

using PausedStreamTest = LoopSuite;

TEST_F(PausedStreamTest, AResetIsAFailureWithinSeconds) {
  const auto pair = connect();
  const std::string peer = pair->far.stream->peer_address().to_string();
  pair->far.stream->pause();
  pair->near.stream->write("some");
  run_for(20ms);
  const MonotonicTime started = loop().now();
  pair->near.stream->reset();
  pair->near.stream.reset();
  ASSERT_TRUE(run_until([&] { return pair->far.over(); }));
  EXPECT_LT(loop().now() - started, 3s);
  EXPECT_EQ(pair->far.failures, 1);
  EXPECT_EQ(pair->far.data, "");
  EXPECT_EQ(pair->far.error->code, Code::closed);
  EXPECT_EQ(pair->far.error->message, peer + ": read: connection reset by peer");
}

TEST_F(PausedStreamTest, SoIsOneThatCameBeforeThePause) {
  const auto pair = connect();
  pair->near.stream->reset();
  pair->near.stream.reset();
  pair->far.stream->pause();
  ASSERT_TRUE(run_until([&] { return pair->far.over(); }));
  EXPECT_EQ(pair->far.failures, 1);
}

TEST_F(PausedStreamTest, AnEndIsNoFailureAndWaitsBehindTheBytes) {
  const auto pair = connect();
  pair->far.stream->pause();
  pair->near.stream->write("later");
  pair->near.stream->end();
  ASSERT_TRUE(run_until([&] { return pair->far.end_waits_behind.has_value(); }));
  EXPECT_EQ(pair->far.end_waits_behind, 5u);
  // Told again, for who waits may have learned meanwhile what it waits for.
  pair->far.end_waits_behind.reset();
  ASSERT_TRUE(run_until([&] { return pair->far.end_waits_behind.has_value(); }));
  EXPECT_EQ(pair->far.data, "");
  EXPECT_FALSE(pair->far.over());
  pair->far.stream->write("an answer");
  EXPECT_TRUE(run_until([&] { return pair->near.data == "an answer"; }));
  pair->far.stream->resume();
  ASSERT_TRUE(run_until([&] { return pair->far.over(); }));
  EXPECT_EQ(pair->far.data, "later");
  EXPECT_EQ(pair->far.ends, 1);
  pair->far.end_waits_behind.reset();
  pair->far.stream->pause();
  run_for(2100ms);
  EXPECT_FALSE(pair->far.end_waits_behind) << "it was read";
  EXPECT_EQ(pair->far.failures, 0);
}

TEST_F(PausedStreamTest, APeerThatIsThereIsNothingToTell) {
  const auto pair = connect();
  pair->far.stream->pause();
  pair->near.stream->write("still here");
  run_for(2100ms);
  EXPECT_FALSE(pair->far.over());
  EXPECT_FALSE(pair->far.end_waits_behind);
  pair->far.stream->resume();
  EXPECT_TRUE(run_until([&] { return pair->far.data == "still here"; }));
}

TEST_F(PausedStreamTest, MayBeDestroyedWhenItIsTold) {
  struct Dies final : io::StreamHandler {
    void stream_data(std::string_view) override { ADD_FAILURE(); }
    void stream_end() override { ADD_FAILURE(); }
    void stream_drained() override { ADD_FAILURE(); }
    void stream_failed(const Error&) override { die(); }
    void stream_end_waits(std::uint64_t) override { die(); }
    void die() {
      stream.reset();
      ++deaths;
    }
    std::unique_ptr<io::Stream> stream;
    int deaths = 0;
  };
  for (const bool hard : {false, true}) {
    const auto pair = connect();
    Dies dies;
    dies.stream = std::move(pair->far.stream);
    dies.stream->start(dies);
    dies.stream->pause();
    if (hard) pair->near.stream->reset();
    pair->near.stream.reset();
    EXPECT_TRUE(run_until([&] { return dies.deaths > 0; }));
    run_for(5ms);
    EXPECT_EQ(dies.deaths, 1);
  }
}

// As where a protocol was detected, and whoever detected it is gone before the next one takes the stream.
TEST_F(PausedStreamTest, DetachedItTellsWhoTakesItNext) {
  const auto pair = connect();
  auto first = std::make_unique<StreamRecorder>(std::move(pair->far.stream));
  auto stream = std::move(first->stream);
  stream->detach();
  first.reset();
  pair->near.stream->reset();
  pair->near.stream.reset();
  run_for(2100ms);
  StreamRecorder second(std::move(stream));
  ASSERT_TRUE(run_until([&] { return second.over(); }));
  EXPECT_EQ(second.failures, 1);
}

}  // namespace
}  // namespace weft::test
