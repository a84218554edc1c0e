// The suites in this folder run twice: on the simulated loop, and on the real one over loopback sockets.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "io/loop.h"
#include "tests/support/stream_recorder.h"

namespace weft::test {

class Rig {
 public:
  virtual ~Rig() = default;
  virtual io::Loop& loop() = 0;
  virtual bool run_until(const Function<bool()>& done) = 0;
  virtual void run_for(Duration time) = 0;
  virtual std::string socket_path(const std::string& name) = 0;
};

std::unique_ptr<Rig> make_rig();

// A connection between two recorders on one loop.
struct Pair {
  StreamRecorder near;  // who connected
  StreamRecorder far;   // who accepted
  std::unique_ptr<io::Listener> listener;
};

class LoopSuite : public ::testing::Test {
 protected:
  io::Loop& loop() { return rig_->loop(); }
  bool run_until(const Function<bool()>& done) { return rig_->run_until(done); }
  void run_for(Duration time) { rig_->run_for(time); }

  std::unique_ptr<Pair> connect() {
    auto pair = std::make_unique<Pair>();
    auto listener = loop().listen(
        loopback(0), {}, [p = pair.get()](std::unique_ptr<io::Stream> s) { p->far.take(std::move(s)); });
    EXPECT_TRUE(listener) << listener.error().message;
    pair->listener = std::move(*listener);
    const auto connecting =
        loop().connect(pair->listener->local_address(), {}, [p = pair.get()](auto result) {
          ASSERT_TRUE(result) << result.error().message;
          p->near.take(std::move(*result));
        });
    EXPECT_TRUE(run_until([&] { return pair->near.stream && pair->far.stream; }));
    return pair;
  }

  static Address loopback(std::uint16_t port) { return {IpAddress::parse("127.0.0.1").value(), port}; }

  std::unique_ptr<Rig> rig_ = make_rig();
};

}  // namespace weft::test
