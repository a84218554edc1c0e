// What only real sockets can show of streams that nobody reads.
#include <gtest/gtest.h>
#include <uv.h>

#include "io/uv_loop.h"
#include "tests/support/run_until.h"
#include "tests/support/stream_recorder.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class PausedUvStreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto listening = loop_.listen({IpAddress::parse("127.0.0.1").value(), 0}, {},
                                  [this](auto stream) { far_.take(std::move(stream)); });
    ASSERT_TRUE(listening);
    listener_ = *std::move(listening);
    const auto connecting = loop_.connect(listener_->local_address(), {},
                                          [this](auto stream) { near_.take(*std::move(stream)); });
    ASSERT_TRUE(run_until(loop_, [this] { return near_.stream && far_.stream; }));
  }
  int timers() const {
    int active = 0;
    const auto count = [](uv_handle_t* handle, void* sum) {
      if (handle->type == UV_TIMER && uv_is_active(handle) != 0) ++*static_cast<int*>(sum);
    };
    uv_walk(loop_.raw(), count, &active);
    return active;
  }

  io::UvLoop loop_;
  std::unique_ptr<io::Listener> listener_;
  StreamRecorder near_;
  StreamRecorder far_;
};

TEST_F(PausedUvStreamTest, ATimerRunsOnlyWhileThereAreAny) {
  EXPECT_EQ(timers(), 0);
  near_.stream->pause();
  far_.stream->pause();
  far_.stream->pause();
  EXPECT_EQ(timers(), 1);
  near_.stream->resume();
  EXPECT_EQ(timers(), 1);
  far_.stream->resume();
  EXPECT_EQ(timers(), 0);
  far_.stream->pause();
  EXPECT_EQ(timers(), 1);
  far_.stream->detach();
  EXPECT_EQ(timers(), 0);
  near_.stream->pause();
  near_.stream.reset();
  EXPECT_EQ(timers(), 0);
}

TEST_F(PausedUvStreamTest, AfterAFailureItRunsNoMore) {
  far_.stream->pause();
  near_.stream->reset();
  near_.stream.reset();
  ASSERT_TRUE(run_until(loop_, [this] { return far_.failures == 1; }));
  EXPECT_EQ(timers(), 0);
}

// EPIPE: as for who reads, all that the peer said is here.
TEST_F(PausedUvStreamTest, AResetBehindTheEndTakesNothingAway) {
  far_.stream->pause();
  near_.stream->write("all");
  near_.stream->end();
  run_for(loop_, 20ms);
  near_.stream->reset();
  near_.stream.reset();
  ASSERT_TRUE(run_until(loop_, [this] { return far_.end_waits_behind.has_value(); }));
  run_for(loop_, 1100ms);
  EXPECT_FALSE(far_.over());
  far_.stream->resume();
  ASSERT_TRUE(run_until(loop_, [this] { return far_.over(); }));
  EXPECT_EQ(far_.data, "all");
  EXPECT_EQ(far_.ends, 1);
}

}  // namespace
}  // namespace weft::test
