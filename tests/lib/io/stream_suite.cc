#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "tests/lib/io/rig.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

using StreamTest = LoopSuite;

// Sends back what it gets, and stops reading while the other side does not take it.
class Echo final : public io::StreamHandler {
 public:
  explicit Echo(std::unique_ptr<io::Stream> stream) : stream_(std::move(stream)) { stream_->start(*this); }
  void stream_data(std::string_view bytes) override {
    stream_->write(bytes);
    most_queued = std::max(most_queued, stream_->queued_bytes());
    if (!stream_->writable()) {
      ++pauses;
      stream_->pause();
    }
  }
  void stream_end() override { stream_->end(); }
  void stream_drained() override { stream_->resume(); }
  void stream_failed(const Error& error) override { ADD_FAILURE() << error.message; }

  std::size_t most_queued = 0;
  int pauses = 0;

 private:
  std::unique_ptr<io::Stream> stream_;
};

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

// Sends `bytes` as it may, counts what comes back, and rests now and then until the other side `waited`.
class Pump final : public io::StreamHandler {
 public:
  Pump(io::Loop& loop, std::unique_ptr<io::Stream> stream, const std::string& bytes, Function<bool()> waited)
      : stream_(std::move(stream)), bytes_(bytes), rest_(loop.make_timer([this, waited = std::move(waited)] {
          waited() ? stream_->resume() : rest_->start(20ms);
        })) {
    stream_->start(*this);
    fill();
  }
  void stream_data(std::string_view bytes) override {
    same = same && bytes == std::string_view(bytes_).substr(received, bytes.size());
    received += bytes.size();
    if (received >= next_rest_) {
      next_rest_ += 4'000'000;
      stream_->pause();
      rest_->start(20ms);
    }
  }
  void stream_end() override { ended = true; }
  void stream_drained() override {
    ++drains;
    fill();
  }
  void stream_failed(const Error& error) override { ADD_FAILURE() << error.message; }

  std::size_t received = 0;
  std::size_t most_queued = 0;
  int drains = 0;
  bool same = true;
  bool ended = false;

 private:
  void fill() {
    while (sent_ < bytes_.size() && stream_->writable()) {
      const auto piece = std::string_view(bytes_).substr(sent_, 60'000);
      stream_->write(piece);
      sent_ += piece.size();
      most_queued = std::max(most_queued, stream_->queued_bytes());
      if (sent_ == bytes_.size()) stream_->end();
    }
  }

  std::unique_ptr<io::Stream> stream_;
  const std::string& bytes_;
  std::size_t sent_ = 0;
  std::size_t next_rest_ = 1'000'000;
  std::unique_ptr<io::Timer> rest_;
};

TEST_F(StreamTest, TwentyMegabytesPassBothWaysWithinTheWatermarks) {
  const std::string bytes = pattern(20'000'000);
  std::unique_ptr<Echo> echo;
  std::unique_ptr<Pump> pump;
  const auto listener = loop().listen(loopback(0), {}, [&](std::unique_ptr<io::Stream> stream) {
    echo = std::make_unique<Echo>(std::move(stream));
  });
  ASSERT_TRUE(listener);
  const auto connecting = loop().connect((*listener)->local_address(), {}, [&](auto stream) {
    ASSERT_TRUE(stream);
    pump = std::make_unique<Pump>(loop(), std::move(*stream), bytes, [&] { return echo->pauses > 0; });
  });
  ASSERT_TRUE(run_until([&] { return pump && pump->ended; }));
  EXPECT_EQ(pump->received, bytes.size());
  EXPECT_TRUE(pump->same);
  EXPECT_GT(pump->drains, 0);
  EXPECT_LE(pump->most_queued, limits::write_high_bytes + 60'000);
  EXPECT_LE(echo->most_queued, limits::write_high_bytes + limits::read_chunk_bytes);
}

TEST_F(StreamTest, KnowsItsAddresses) {
  const auto pair = connect();
  EXPECT_EQ(pair->near.stream->peer_address(), pair->listener->local_address());
  EXPECT_EQ(pair->far.stream->local_address(), pair->listener->local_address());
  EXPECT_EQ(pair->near.stream->local_address(), pair->far.stream->peer_address());
  EXPECT_NE(pair->near.stream->local_address().port, 0);
}

TEST_F(StreamTest, HalfClosedItStillCarriesTheOtherDirection) {
  const auto pair = connect();
  pair->near.stream->write("last words");
  pair->near.stream->end();
  ASSERT_TRUE(run_until([&] { return pair->far.ends == 1; }));
  EXPECT_EQ(pair->far.data, "last words");
  EXPECT_EQ(pair->near.ends, 0);
  pair->far.stream->write("an answer");
  ASSERT_TRUE(run_until([&] { return pair->near.data == "an answer"; }));
  pair->far.stream->end();
  ASSERT_TRUE(run_until([&] { return pair->near.ends == 1; }));
  run_for(20ms);
  EXPECT_EQ(pair->near.failures + pair->far.failures, 0);
  EXPECT_EQ(pair->near.ends + pair->far.ends, 2);
}

TEST_F(StreamTest, EndIsIdempotentAndNothingIsWrittenBehindIt) {
  const auto pair = connect();
  pair->near.stream->write("a");
  pair->near.stream->end();
  pair->near.stream->end();
  pair->near.stream->write("b");
  ASSERT_TRUE(run_until([&] { return pair->far.ends == 1; }));
  run_for(20ms);
  EXPECT_EQ(pair->far.data, "a");
  EXPECT_EQ(pair->far.ends, 1);
}

TEST_F(StreamTest, DrainedIsToldOnceAfterEndThoughTheMarkWasNeverReached) {
  const auto pair = connect();
  pair->near.stream->write("short");
  run_for(5ms);
  EXPECT_EQ(pair->near.drains, 0);
  pair->near.stream->end();
  EXPECT_EQ(pair->near.drains, 0);  // never inline
  ASSERT_TRUE(run_until([&] { return pair->near.drains == 1; }));
  pair->near.stream->end();
  run_for(20ms);
  EXPECT_EQ(pair->near.drains, 1);
}

// What a connection does that closes behind its last response.
TEST_F(StreamTest, DestroyedWhenDrainedAfterEndNoByteIsLost) {
  struct Closes final : io::StreamHandler {
    void stream_data(std::string_view) override {}
    void stream_end() override {}
    void stream_drained() override {
      if (ended) stream.reset();
    }
    void stream_failed(const Error& error) override { ADD_FAILURE() << error.message; }
    std::unique_ptr<io::Stream> stream;
    bool ended = false;
  };
  const auto pair = connect();
  const std::string bytes = pattern(20'000'000);
  Closes closes;
  closes.stream = std::move(pair->near.stream);
  closes.stream->start(closes);
  pair->far.stream->pause();
  closes.stream->write(bytes);
  closes.stream->end();
  closes.ended = true;
  run_for(20ms);
  ASSERT_TRUE(closes.stream) << "the peer does not read, so not everything can have left";
  pair->far.stream->resume();
  ASSERT_TRUE(run_until([&] { return pair->far.over(); }));
  EXPECT_FALSE(closes.stream);
  EXPECT_EQ(pair->far.ends, 1);
  EXPECT_TRUE(pair->far.data == bytes);
}

TEST_F(StreamTest, ResetIsSeenAsAFailureOnceAndNamesThePeer) {
  const auto pair = connect();
  const std::string peer = pair->far.stream->peer_address().to_string();
  pair->near.stream->reset();
  pair->near.stream.reset();
  ASSERT_TRUE(run_until([&] { return pair->far.over(); }));
  run_for(20ms);
  EXPECT_EQ(pair->far.failures, 1);
  EXPECT_EQ(pair->far.ends, 0);
  EXPECT_EQ(pair->far.error->code, Code::closed);
  EXPECT_EQ(pair->far.error->message, peer + ": read: connection reset by peer");
}

// Bytes that came before it may be lost, but they are not all there was.
TEST_F(StreamTest, AResetBehindBytesThatWereNotReadIsNoEnd) {
  const auto pair = connect();
  pair->far.stream->pause();
  pair->near.stream->write("some");
  run_for(20ms);
  pair->near.stream->reset();
  pair->near.stream.reset();
  run_for(20ms);
  pair->far.stream->resume();
  ASSERT_TRUE(run_until([&] { return pair->far.over(); }));
  EXPECT_EQ(pair->far.ends, 0);
  EXPECT_EQ(pair->far.failures, 1);
  EXPECT_EQ(pair->far.error->code, Code::closed);
}

TEST_F(StreamTest, DestroyedItIsAnEndForThePeer) {
  const auto pair = connect();
  pair->near.stream.reset();
  ASSERT_TRUE(run_until([&] { return pair->far.over(); }));
  EXPECT_EQ(pair->far.ends, 1);
}

TEST_F(StreamTest, ClosedWhileWritingItFailsAndForgetsTheRest) {
  const auto pair = connect();
  pair->far.stream->pause();
  pair->near.stream->write(pattern(20'000'000));
  run_for(20ms);
  EXPECT_GT(pair->near.stream->queued_bytes(), 0u);
  pair->far.stream.reset();  // with unread bytes: the kernel says RST
  ASSERT_TRUE(run_until([&] { return pair->near.failures == 1; }));
  EXPECT_EQ(pair->near.error->code, Code::closed);
  EXPECT_EQ(pair->near.stream->queued_bytes(), 0u);
  pair->near.stream->write("ignored");
  pair->near.stream->end();
  run_for(20ms);
  EXPECT_EQ(pair->near.stream->queued_bytes(), 0u);
  EXPECT_EQ(pair->near.failures, 1);
}

// A server may answer early and close: the answer counts, although writing the rest fails.
TEST_F(StreamTest, WhatThePeerSaidBeforeItClosedIsReadThoughWritingFails) {
  const auto pair = connect();
  pair->far.stream->pause();
  pair->near.stream->write(pattern(20'000'000));
  run_for(20ms);
  pair->far.stream->write("413 too much");
  run_for(20ms);
  pair->far.stream.reset();
  ASSERT_TRUE(run_until([&] { return pair->near.failures == 1; }));
  EXPECT_EQ(pair->near.data, "413 too much");
}

TEST_F(StreamTest, AFailedWriteIsReportedThoughNobodyReads) {
  const auto pair = connect();
  pair->near.stream->pause();
  pair->far.stream->reset();
  pair->far.stream.reset();
  run_for(20ms);
  EXPECT_EQ(pair->near.failures, 0);
  pair->near.stream->write("into the void");
  ASSERT_TRUE(run_until([&] { return pair->near.failures == 1; }));
}

TEST_F(StreamTest, PausedItHandsUpNeitherBytesNorEnd) {
  const auto pair = connect();
  pair->far.stream->pause();
  pair->near.stream->write("later");
  pair->near.stream->end();
  run_for(20ms);
  EXPECT_EQ(pair->far.data, "");
  EXPECT_EQ(pair->far.ends, 0);
  pair->far.stream->resume();
  ASSERT_TRUE(run_until([&] { return pair->far.ends == 1; }));
  EXPECT_EQ(pair->far.data, "later");
}

TEST_F(StreamTest, AnotherHandlerMayTakeOverInACallback) {
  struct First final : io::StreamHandler {
    explicit First(StreamRecorder& n) : next(n) {}
    void stream_data(std::string_view bytes) override {
      data.append(bytes);
      next.take(std::move(stream));
    }
    void stream_end() override { ADD_FAILURE(); }
    void stream_drained() override {}
    void stream_failed(const Error&) override { ADD_FAILURE(); }
    StreamRecorder& next;
    std::unique_ptr<io::Stream> stream;
    std::string data;
  };
  const auto pair = connect();
  StreamRecorder second;
  First first(second);
  first.stream = std::move(pair->far.stream);
  first.stream->start(first);
  pair->near.stream->write("detected");
  ASSERT_TRUE(run_until([&] { return second.stream != nullptr; }));
  pair->near.stream->write(", then handed on");
  pair->near.stream->end();
  ASSERT_TRUE(run_until([&] { return second.ends == 1; }));
  EXPECT_EQ(first.data + second.data, "detected, then handed on");
  EXPECT_FALSE(first.data.empty());
}

TEST_F(StreamTest, MayBeDestroyedInEachOfItsCallbacks) {
  struct Dies final : io::StreamHandler {
    void stream_data(std::string_view) override { die(); }
    void stream_end() override { die(); }
    void stream_drained() override { die(); }
    void stream_failed(const Error&) override { die(); }
    void die() {
      stream.reset();
      ++deaths;
    }
    std::unique_ptr<io::Stream> stream;
    int deaths = 0;
  };
  const auto provoke = [&](const Function<void(Pair&, Dies&)>& what) {
    const auto pair = connect();
    Dies dies;
    dies.stream = std::move(pair->near.stream);
    dies.stream->start(dies);
    what(*pair, dies);
    EXPECT_TRUE(run_until([&] { return dies.deaths > 0; }));
    run_for(5ms);
    EXPECT_EQ(dies.deaths, 1);
  };
  provoke([](Pair& pair, Dies&) { pair.far.stream->write("data"); });
  provoke([](Pair& pair, Dies&) { pair.far.stream->end(); });
  provoke([&](Pair& pair, Dies& dies) {
    pair.far.stream->pause();
    dies.stream->write(pattern(20'000'000));
    ASSERT_FALSE(dies.stream->writable());
    pair.far.stream->resume();
  });
  provoke([](Pair& pair, Dies&) {
    pair.far.stream->reset();
    pair.far.stream.reset();
  });
}

TEST_F(StreamTest, IsIdleAndOpenUntilSomethingArrives) {
  const auto pair = connect();
  EXPECT_TRUE(pair->near.stream->idle_and_open());
  pair->near.stream->pause();
  pair->far.stream->write("x");
  run_for(20ms);
  EXPECT_FALSE(pair->near.stream->idle_and_open());
  pair->near.stream->resume();
  ASSERT_TRUE(run_until([&] { return pair->near.data == "x"; }));
  EXPECT_TRUE(pair->near.stream->idle_and_open());
  pair->near.stream->pause();
  pair->far.stream.reset();
  run_for(20ms);
  EXPECT_FALSE(pair->near.stream->idle_and_open());
}

TEST_F(StreamTest, WithoutARedirectHasNoOriginalDestination) {
  const auto pair = connect();
  const auto original = pair->far.stream->original_destination();
  // A machine whose connection tracking is on may answer with the address itself.
  if (original) {
    EXPECT_EQ(*original, pair->listener->local_address());
  } else {
    EXPECT_EQ(original.error().code, Code::not_found);
  }
}

}  // namespace
}  // namespace weft::test
