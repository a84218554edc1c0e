// A GrpcServer and a GrpcChannel to it over real loopback sockets, on one loop.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"
#include "http/grpc_client.h"
#include "http/grpc_server.h"
#include "io/uv_loop.h"
#include "tests/support/run_until.h"

namespace weft::http {

// A streaming call's server side that keeps what it got and does what the test told it to.
struct StreamLog {
  std::string received;
  std::size_t messages = 0;
  int half_closes = 0;
  int drains = 0;
  std::vector<codec::GrpcStatus> closed;
  int destroyed = 0;
  GrpcServerStream* stream = nullptr;  // null once closed
  Function<void(GrpcServerStream&, std::string_view)> on_message;
  Function<void(GrpcServerStream&)> on_half_closed;
};

class RecordingHandler final : public GrpcStreamHandler {
 public:
  RecordingHandler(StreamLog& log, GrpcServerStream& stream) : log_(log), stream_(stream) {
    log_.stream = &stream;
  }
  ~RecordingHandler() override {
    ++log_.destroyed;
    log_.stream = nullptr;
  }
  void message(std::string_view bytes) override {
    ++log_.messages;
    log_.received.append(bytes);
    if (log_.on_message) log_.on_message(stream_, bytes);
  }
  void half_closed() override {
    ++log_.half_closes;
    if (log_.on_half_closed) log_.on_half_closed(stream_);
  }
  void drained() override { ++log_.drains; }
  void closed(const codec::GrpcStatus& status) override { log_.closed.push_back(status); }

 private:
  StreamLog& log_;
  GrpcServerStream& stream_;
};

// A streaming call's client side.
class ClientLog final : public GrpcClientStreamHandler {
 public:
  void grpc_opened() override { ++opened; }
  void grpc_message(std::string_view bytes) override {
    ++messages;
    received.append(bytes);
    if (on_message) on_message();
  }
  void grpc_drained() override { ++drains; }
  void grpc_closed(const Result<codec::GrpcStatus>& how) override { closed.push_back(how); }

  int opened = 0;
  std::size_t messages = 0;
  std::string received;
  int drains = 0;
  std::vector<Result<codec::GrpcStatus>> closed;
  Function<void()> on_message;
};

class GrpcTest : public testing::Test {
 protected:
  void serve(GrpcServerOptions options = {}) {
    server = std::make_unique<GrpcServer>(loop, options);
    server->add_unary("/t.Echo/Unary", [](const GrpcRequest&, std::string_view message,
                                          GrpcResponder responder) { responder.reply(message); });
    server->add_unary("/t.Echo/Later", [this](const GrpcRequest&, std::string_view, GrpcResponder responder) {
      parked.push_back(std::move(responder));
    });
    server->add_unary("/t.Echo/Fail",
                      [](const GrpcRequest&, std::string_view message, GrpcResponder responder) {
                        responder.fail({codec::GrpcCode::permission_denied, std::string(message)});
                      });
    server->add_stream("/t.Echo/Stream", [this](const GrpcRequest& request, GrpcServerStream& stream) {
      last_request = request;
      return std::make_unique<RecordingHandler>(log, stream);
    });
    listen(*Address::parse("127.0.0.1:0"));
  }

  void listen(const Address& at) {
    auto made = loop.listen(at, {}, [this](std::unique_ptr<io::Stream> stream) {
      const Address peer = stream->peer_address();
      server->accept(std::move(stream), GrpcPeer{peer, SpiffeId{"cluster.local", "default", "hello"}});
    });
    ASSERT_TRUE(made) << made.error().message;
    listener = std::move(*made);
    address = listener->local_address();
  }

  static GrpcChannelOptions quick() {
    GrpcChannelOptions options;
    options.target = "echo at 127.0.0.1";
    options.authority = "echo";
    options.scheme = "http";
    options.backoff_first = std::chrono::milliseconds(20);
    options.backoff_longest = std::chrono::milliseconds(50);
    return options;
  }

  void dial(const GrpcChannelOptions& options = quick()) {
    channel = std::make_unique<GrpcChannel>(
        loop, random, options,
        [this](GrpcChannel::ConnectDone done) {
          ++attempts;
          return loop.connect(address, {}, std::move(done));
        },
        [this](GrpcChannel::State state, const Error* error) {
          states.push_back(state);
          if (error != nullptr) errors.push_back(error->message);
        });
  }

  [[nodiscard]] std::unique_ptr<GrpcCall> start(std::string_view method, std::string_view message,
                                                std::optional<Result<GrpcReply>>& reply,
                                                Duration timeout = std::chrono::seconds(10),
                                                const codec::Headers& metadata = {}) {
    return channel->call(method, metadata, message, timeout, [&reply](Result<GrpcReply> got) {
      EXPECT_FALSE(reply.has_value()) << "done ran twice";
      reply = std::move(got);
    });
  }

  Result<GrpcReply> call(std::string_view method, std::string_view message,
                         Duration timeout = std::chrono::seconds(10), const codec::Headers& metadata = {}) {
    std::optional<Result<GrpcReply>> reply;
    const auto handle = start(method, message, reply, timeout, metadata);
    EXPECT_FALSE(reply.has_value()) << "done ran inline";
    EXPECT_TRUE(test::run_until(loop, [&] { return reply.has_value(); }));
    return reply ? std::move(*reply) : fail(Code::internal, "no answer at all");
  }

  bool until(Function<bool()> done) { return test::run_until(loop, done); }

  io::UvLoop loop;
  SeededRandom random{1};
  std::vector<GrpcResponder> parked;
  StreamLog log;
  std::optional<GrpcRequest> last_request;
  ClientLog client;
  Address address;
  std::unique_ptr<GrpcServer> server;
  std::unique_ptr<io::Listener> listener;
  std::unique_ptr<GrpcChannel> channel;
  std::vector<GrpcChannel::State> states;
  std::vector<std::string> errors;
  int attempts = 0;
};

}  // namespace weft::http
