// Two ends of a connection on one loop, simulated or real, for tests of handshakes and of what follows them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/lib/tls/test_root.h"
#include "tests/sim/sim_loop.h"
#include "tests/support/run_until.h"
#include "tests/support/stream_recorder.h"
#include "tls/tls_stream.h"

namespace weft::test {

class SimWorld {
 public:
  SimWorld() { loop_.set_wall(noon()); }
  io::Loop& loop() { return loop_; }
  sim::SimLoop& sim() { return loop_; }
  bool run_until(const Function<bool()>& done) { return loop_.run_until(done); }
  // Lets everything happen that is under way.
  void settle() { loop_.advance(std::chrono::milliseconds(500)); }
  // One piece of bytes gets across.
  void step() { loop_.advance(std::chrono::milliseconds(2)); }

 private:
  sim::SimLoop loop_;
};

class UvWorld {
 public:
  io::Loop& loop() { return loop_; }
  bool run_until(Function<bool()> done) { return test::run_until(loop_, std::move(done)); }
  void settle() { test::run_for(loop_, std::chrono::milliseconds(50)); }
  void step() { test::run_for(loop_, std::chrono::milliseconds(1)); }

 private:
  io::UvLoop loop_;
};

// What came of one side's handshake.
struct Side {
  std::unique_ptr<tls::Handshake> handshake;
  std::unique_ptr<tls::TlsStream> stream;
  std::optional<Error> error;
  int calls = 0;

  tls::HandshakeDone done() {
    return [this](Result<std::unique_ptr<tls::TlsStream>> result) {
      ++calls;
      handshake.reset();
      if (result)
        stream = *std::move(result);
      else
        error = result.error();
    };
  }
  bool over() const { return calls > 0; }
};

template <class World>
class HandshakeTest : public testing::Test {
 protected:
  HandshakeTest() : root_(world_.loop().wall_now()) {}

  // A new pair of connected plain streams; whatever was before is gone.
  void connect() {
    client_ = {};
    server_ = {};
    client_plain_ = nullptr;
    server_plain_ = nullptr;
    listener_ = world_.loop()
                    .listen(Address::parse("127.0.0.1:0").value(), {},
                            [this](std::unique_ptr<io::Stream> stream) { server_plain_ = std::move(stream); })
                    .value();
    connecting_ = world_.loop().connect(
        listener_->local_address(), {},
        [this](Result<std::unique_ptr<io::Stream>> s) { client_plain_ = *std::move(s); });
    ASSERT_TRUE(world_.run_until([this] { return client_plain_ && server_plain_; }));
  }

  std::shared_ptr<const tls::Context> client_context(std::shared_ptr<const tls::Svid> svid) {
    return tls::Context::client(std::move(svid), root_.bundle()).value();
  }
  std::shared_ptr<const tls::Context> server_context(std::shared_ptr<const tls::Svid> svid) {
    return tls::Context::server(std::move(svid), root_.bundle(), {{"weft-h2", "weft-http/1.1"}, true})
        .value();
  }

  void start_client(std::shared_ptr<const tls::Context> context, tls::ClientOptions options) {
    client_.handshake = tls::handshake_client(world_.loop(), std::move(client_plain_), std::move(context),
                                              std::move(options), client_.done());
  }
  void start_server(std::shared_ptr<const tls::Context> context, std::string already_read = {}) {
    server_.handshake =
        tls::handshake_server(world_.loop(), std::move(server_plain_), std::move(already_read),
                              std::move(context), std::chrono::seconds(5), server_.done());
  }
  // Both sides, with these certificates, or with good ones.
  void start(std::shared_ptr<const tls::Svid> server, std::shared_ptr<const tls::Svid> client) {
    start_server(server_context(std::move(server)));
    start_client(client_context(std::move(client)), expect(id_b));
  }
  void start() { start(root_.svid(id_b), root_.svid(id_a)); }
  bool both_over() {
    return world_.run_until([this] { return client_.over() && server_.over(); });
  }
  static tls::ClientOptions expect(const std::string& id) {
    tls::ClientOptions options;
    options.expected_identity = SpiffeId::parse(id).value();
    options.alpn = {"weft-http/1.1", "weft-tcp"};
    return options;
  }

  // Both ends as they should be; fails the test otherwise.
  void shake_hands() {
    connect();
    start();
    ASSERT_TRUE(both_over());
    ASSERT_TRUE(client_.stream) << client_.error->message;
    ASSERT_TRUE(server_.stream) << server_.error->message;
  }

  static constexpr auto id_a = "spiffe://cluster.local/ns/default/sa/a";
  static constexpr auto id_b = "spiffe://cluster.local/ns/default/sa/b";

  World world_;
  TestRoot root_;
  std::unique_ptr<io::Listener> listener_;
  std::unique_ptr<io::Connecting> connecting_;
  std::unique_ptr<io::Stream> client_plain_;
  std::unique_ptr<io::Stream> server_plain_;
  Side client_;
  Side server_;
};

}  // namespace weft::test
