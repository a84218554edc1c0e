// What a TLS stream does with bytes, ends and failures, in virtual time and over real sockets.
#include "base/limits.h"
#include "tests/lib/tls/handshake_world.h"

namespace weft::tls {
namespace {

using namespace std::chrono_literals;

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (auto& c : text) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

template <class World>
class Streams : public test::HandshakeTest<World> {
 protected:
  void open() {
    this->shake_hands();
    a_.take(std::move(this->client_.stream));
    b_.take(std::move(this->server_.stream));
  }
  test::StreamRecorder a_;
  test::StreamRecorder b_;
};
using Worlds = testing::Types<test::SimWorld, test::UvWorld>;
TYPED_TEST_SUITE(Streams, Worlds);

TYPED_TEST(Streams, CarryBytesOfAnySizeBothWays) {
  this->open();
  std::string sent;
  for (const std::size_t size : {1u, 1399u, 1400u, 1401u, 16383u, 16384u, 16385u, 100000u, 1000000u}) {
    const auto piece = pattern(size);
    sent += piece;
    this->a_.stream->write(piece);
    this->b_.stream->write(piece);
  }
  ASSERT_TRUE(this->world_.run_until(
      [&] { return this->a_.data.size() >= sent.size() && this->b_.data.size() >= sent.size(); }));
  EXPECT_TRUE(this->a_.data == sent);
  EXPECT_TRUE(this->b_.data == sent);
}

TYPED_TEST(Streams, DeliverWhatWasWrittenBeforeTheReaderStarted) {
  this->shake_hands();
  this->client_.stream->write("early");
  this->world_.settle();
  this->b_.take(std::move(this->server_.stream));
  ASSERT_TRUE(this->world_.run_until([&] { return this->b_.data == "early"; }));
}

TYPED_TEST(Streams, EndOneDirectionAndGoOnInTheOther) {
  this->open();
  this->a_.stream->write("question");
  this->a_.stream->end();
  ASSERT_TRUE(this->world_.run_until([&] { return this->b_.ends == 1; }));
  EXPECT_EQ(this->b_.data, "question");
  this->b_.stream->write("answer");
  this->b_.stream->end();
  ASSERT_TRUE(this->world_.run_until([&] { return this->a_.ends == 1; }));
  EXPECT_EQ(this->a_.data, "answer");
  this->world_.settle();
  EXPECT_EQ(this->a_.failures + this->b_.failures, 0);
}

TYPED_TEST(Streams, TakeAFinWithoutCloseNotifyForATruncation) {
  this->connect();
  io::Stream* raw = this->client_plain_.get();
  this->start();
  ASSERT_TRUE(this->both_over());
  this->b_.take(std::move(this->server_.stream));
  this->client_.stream->write("half of");
  raw->end();
  ASSERT_TRUE(this->world_.run_until([&] { return this->b_.over(); }));
  EXPECT_EQ(this->b_.data, "half of");
  EXPECT_EQ(this->b_.ends, 0);
  ASSERT_TRUE(this->b_.error);
  EXPECT_EQ(this->b_.error->code, Code::closed);
}

TYPED_TEST(Streams, FailOnBytesThatWereTamperedWith) {
  this->connect();
  io::Stream* raw = this->client_plain_.get();
  this->start();
  ASSERT_TRUE(this->both_over());
  this->b_.take(std::move(this->server_.stream));
  raw->write(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
  ASSERT_TRUE(this->world_.run_until([&] { return this->b_.over(); }));
  EXPECT_EQ(this->b_.failures, 1);
  EXPECT_EQ(this->b_.data, "");
  EXPECT_EQ(this->b_.error->code, Code::invalid);
}

TYPED_TEST(Streams, FailWhenThePeerResets) {
  this->open();
  this->a_.stream->reset();
  this->a_.stream.reset();
  ASSERT_TRUE(this->world_.run_until([&] { return this->b_.over(); }));
  EXPECT_EQ(this->b_.failures, 1);
}

TYPED_TEST(Streams, FailWhenThePeerResetsThoughNobodyReads) {
  this->open();
  this->b_.stream->pause();
  this->a_.stream->write(pattern(50000));
  this->world_.settle();
  this->a_.stream->reset();
  this->a_.stream.reset();
  ASSERT_TRUE(this->world_.run_until([&] { return this->b_.over(); }));
  EXPECT_EQ(this->b_.failures, 1);
  EXPECT_EQ(this->b_.data, "");
}

// At most: what came is encrypted.
TYPED_TEST(Streams, SayHowMuchIsLeftOfAPeerThatEndedWhileNobodyReads) {
  this->open();
  this->b_.stream->pause();
  this->a_.stream->write(pattern(50000));
  this->a_.stream->end();
  ASSERT_TRUE(this->world_.run_until([&] { return this->b_.end_waits_behind.has_value(); }));
  EXPECT_GE(*this->b_.end_waits_behind, 50000u);
  EXPECT_LE(*this->b_.end_waits_behind, 53000u);
  EXPECT_FALSE(this->b_.over());
  this->b_.stream->resume();
  ASSERT_TRUE(this->world_.run_until([&] { return this->b_.over(); }));
  EXPECT_EQ(this->b_.ends, 1);
  EXPECT_TRUE(this->b_.data == pattern(50000));
}

TYPED_TEST(Streams, DeliverNothingWhilePaused) {
  this->open();
  this->b_.stream->pause();
  this->a_.stream->write(pattern(50000));
  this->a_.stream->end();
  this->world_.settle();
  EXPECT_EQ(this->b_.data, "");
  EXPECT_EQ(this->b_.ends, 0);
  this->b_.stream->resume();
  EXPECT_EQ(this->b_.data, "");  // never inline
  ASSERT_TRUE(this->world_.run_until([&] { return this->b_.ends == 1; }));
  EXPECT_TRUE(this->b_.data == pattern(50000));
}

// A reader that takes one record at a time, as a proxy under back-pressure does.
struct PausingReader final : io::StreamHandler {
  void stream_data(std::string_view bytes) override {
    EXPECT_FALSE(paused);
    data += bytes;
    paused = true;
    stream->pause();
  }
  void stream_end() override {
    EXPECT_FALSE(paused);
    ended = true;
  }
  void stream_drained() override {}
  void stream_failed(const Error& error) override { ADD_FAILURE() << error.message; }
  void go_on() {
    if (!paused) return;
    paused = false;
    stream->resume();
  }
  io::Stream* stream = nullptr;
  std::string data;
  bool paused = false;
  bool ended = false;
};

TYPED_TEST(Streams, LoseNothingToAReaderThatPausesAfterEveryPiece) {
  this->open();
  PausingReader reader;
  reader.stream = this->b_.stream.get();
  this->b_.stream->start(reader);
  const auto sent = pattern(700000);
  this->a_.stream->write(sent);
  this->a_.stream->end();
  ASSERT_TRUE(this->world_.run_until([&] {
    reader.go_on();
    return reader.ended;
  }));
  EXPECT_TRUE(reader.data == sent);
}

TYPED_TEST(Streams, PassBackPressureOn) {
  this->open();
  this->b_.stream->pause();
  const auto sent = pattern(8 * 1024 * 1024);
  this->a_.stream->write(sent);
  this->world_.settle();
  EXPECT_FALSE(this->a_.stream->writable());
  EXPECT_GT(this->a_.stream->queued_bytes(), limits::write_high_bytes);
  EXPECT_EQ(this->a_.drains, 0);
  this->b_.stream->resume();
  ASSERT_TRUE(this->world_.run_until([&] { return this->b_.data.size() == sent.size(); }));
  ASSERT_TRUE(this->world_.run_until([&] { return this->a_.drains == 1; }));
  EXPECT_TRUE(this->a_.stream->writable());
  EXPECT_TRUE(this->b_.data == sent);
}

TYPED_TEST(Streams, SayWhenTheEndHasLeft) {
  this->open();
  this->a_.stream->write(pattern(5000));
  this->a_.stream->end();
  ASSERT_TRUE(this->world_.run_until([&] { return this->a_.drains == 1; }));
  EXPECT_EQ(this->a_.stream->queued_bytes(), 0u);
}

TYPED_TEST(Streams, AreIdleAndOpenUntilSomethingHappens) {
  this->open();
  EXPECT_TRUE(this->a_.stream->idle_and_open());
  this->b_.stream->end();
  ASSERT_TRUE(this->world_.run_until([&] { return this->a_.ends == 1; }));
  EXPECT_FALSE(this->a_.stream->idle_and_open());
}

// The handler may destroy its stream from every callback.
struct Destroyer final : io::StreamHandler {
  void stream_data(std::string_view) override { stream.reset(); }
  void stream_end() override { stream.reset(); }
  void stream_drained() override {}
  void stream_failed(const Error&) override { stream.reset(); }
  std::unique_ptr<io::Stream> stream;
};

TYPED_TEST(Streams, MayBeDestroyedInTheirCallbacks) {
  for (int what = 0; what < 3; ++what) {
    SCOPED_TRACE(what);
    this->client_ = {};
    this->server_ = {};
    this->server_plain_ = nullptr;
    this->client_plain_ = nullptr;
    this->shake_hands();
    this->a_.take(std::move(this->client_.stream));
    Destroyer destroyer;
    destroyer.stream = std::move(this->server_.stream);
    destroyer.stream->start(destroyer);
    if (what == 0) this->a_.stream->write(pattern(100000));
    if (what == 1) this->a_.stream->end();
    if (what == 2) {
      this->a_.stream->reset();
      this->a_.stream.reset();
    }
    ASSERT_TRUE(this->world_.run_until([&] { return !destroyer.stream; }));
  }
}

// A handler that hands its stream on in the middle of what was delivered.
struct HandOver final : io::StreamHandler {
  void stream_data(std::string_view bytes) override {
    first += bytes;
    stream->start(*next);
  }
  void stream_end() override { ADD_FAILURE(); }
  void stream_drained() override {}
  void stream_failed(const Error& error) override { ADD_FAILURE() << error.message; }
  io::Stream* stream = nullptr;
  io::StreamHandler* next = nullptr;
  std::string first;
};

TYPED_TEST(Streams, GoOnWithTheHandlerThatTookOver) {
  this->open();
  HandOver detector;
  detector.stream = this->b_.stream.get();
  detector.next = &this->b_;
  this->b_.stream->start(detector);
  const auto sent = pattern(60000);
  this->a_.stream->write(sent);
  this->a_.stream->end();
  ASSERT_TRUE(this->world_.run_until([&] { return this->b_.ends == 1; }));
  EXPECT_FALSE(detector.first.empty());
  EXPECT_TRUE(detector.first + this->b_.data == sent);
}

}  // namespace
}  // namespace weft::tls
