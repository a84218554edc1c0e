// TLS over a rough network, from many seeds: bytes cut anywhere, stalls, resets, early FINs. Whatever
// happens, each handshake ends exactly once, and an end is reported only behind every byte that was sent.
#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/lib/tls/test_root.h"
#include "tests/sim/sim_loop.h"
#include "tests/support/stream_recorder.h"
#include "tls/tls_stream.h"

namespace weft::tls {
namespace {

using namespace std::chrono_literals;

struct Outcome {
  int handshakes_done = 0;
  int complete = 0;  // directions that carried everything and ended
  int failed = 0;
};

class Exchange {
 public:
  Exchange(std::uint64_t seed, const sim::NetworkOptions& options) : network_(seed, options) {
    loop_ = &network_.add_loop({IpAddress::parse("198.18.0.1").value()});
    loop_->set_wall(test::noon());
  }

  void play(const test::TestRoot& root, Outcome& outcome) {
    const auto client =
        Context::client(root.svid("spiffe://cluster.local/ns/default/sa/a"), root.bundle()).value();
    const auto server =
        Context::server(root.svid("spiffe://cluster.local/ns/default/sa/b"), root.bundle(), {}).value();
    const auto listener =
        loop_->listen(Address::parse("198.18.0.1:1").value(), {}, [&](std::unique_ptr<io::Stream> s) {
          server_handshake_ = handshake_server(*loop_, std::move(s), {}, server, 5s,
                                               [&](auto result) { done(b_, std::move(result)); });
        });
    ASSERT_TRUE(listener);
    const auto connecting = loop_->connect(Address::parse("198.18.0.1:1").value(), {}, [&](auto stream) {
      if (!stream) return;
      ClientOptions options;
      options.expected_identity = SpiffeId{"cluster.local", "default", "b"};
      client_handshake_ = handshake_client(*loop_, *std::move(stream), client, options,
                                           [&](auto result) { done(a_, std::move(result)); });
    });
    network_.run_until([&] { return a_.stream && b_.stream && a_.over() && b_.over(); }, 30s);
    EXPECT_LE(calls_, 2);
    outcome.handshakes_done += calls_;
    check(a_, outcome);
    check(b_, outcome);
  }

 private:
  // As soon as its handshake is done, each side says all it has and ends.
  void done(test::StreamRecorder& side, Result<std::unique_ptr<TlsStream>> result) {
    ++calls_;
    if (!result) return;
    side.take(*std::move(result));
    side.stream->write(message_);
    side.stream->end();
  }
  void check(const test::StreamRecorder& side, Outcome& outcome) const {
    EXPECT_LE(side.ends, 1);
    EXPECT_LE(side.failures, 1);
    EXPECT_TRUE(message_.starts_with(side.data)) << "bytes that were never sent";
    if (side.ends == 1) {
      EXPECT_EQ(side.data.size(), message_.size()) << "an end before the end";
    }
    outcome.complete += side.ends;
    outcome.failed += side.failures;
  }

  sim::SimNetwork network_;
  sim::SimLoop* loop_ = nullptr;
  std::string message_ = hex_encode(std::string(30000, 'm'));
  int calls_ = 0;
  std::unique_ptr<Handshake> client_handshake_;
  std::unique_ptr<Handshake> server_handshake_;
  test::StreamRecorder a_;
  test::StreamRecorder b_;
};

TEST(TlsSeeds, NeverLoseBytesSilently) {
  const test::TestRoot root(test::noon());
  Outcome outcome;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(str_cat("seed ", seed));
    sim::NetworkOptions options = sim::NetworkOptions::rough();
    options.chunk_bytes_max = 4096;
    options.truncate_chance = 0.005;
    Exchange(seed, options).play(root, outcome);
    if (testing::Test::HasFailure()) return;
  }
  // The network is rough enough to break some and calm enough to let some through.
  EXPECT_GT(outcome.complete, 20);
  EXPECT_GT(outcome.failed, 20);
  EXPECT_GT(outcome.handshakes_done, 100);
}

TEST(TlsSeeds, OnACalmNetworkEverythingArrives) {
  const test::TestRoot root(test::noon());
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Outcome outcome;
    Exchange(seed, sim::NetworkOptions::calm()).play(root, outcome);
    EXPECT_EQ(outcome.complete, 2) << "seed " << seed;
    EXPECT_EQ(outcome.failed, 0) << "seed " << seed;
  }
}

}  // namespace
}  // namespace weft::tls
