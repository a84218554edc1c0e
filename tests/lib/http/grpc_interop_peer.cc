// The weft half of tests/e2e/test_grpc_peer.py: `grpc_interop_peer serve` is a server that prints its port,
// `grpc_interop_peer call PORT` makes calls to a real gRPC server and prints PASS or FAIL for each.
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "http/grpc_client.h"
#include "http/grpc_server.h"
#include "io/uv_loop.h"
#include "tests/support/run_until.h"

namespace weft::http {
namespace {

using codec::GrpcCode;
using namespace std::chrono_literals;

const std::string awkward_text = "100 % d\xc3\xa9j\xc3\xa0\nvu";

class Echo final : public GrpcStreamHandler {
 public:
  explicit Echo(GrpcServerStream& stream) : stream_(stream) {}
  void message(std::string_view bytes) override { stream_.send(bytes); }
  void half_closed() override { stream_.finish({}); }
  void drained() override {}
  void closed(const codec::GrpcStatus&) override {}

 private:
  GrpcServerStream& stream_;
};

void serve() {
  io::UvLoop loop;
  std::vector<GrpcResponder> never;
  GrpcServer server(loop);
  server.add_unary("/t.Echo/Unary", [](const GrpcRequest&, std::string_view message,
                                       GrpcResponder responder) { responder.reply(message); });
  server.add_unary("/t.Echo/Metadata",
                   [](const GrpcRequest& request, std::string_view, GrpcResponder responder) {
                     responder.reply(request.metadata.get("authorization").value_or(""));
                   });
  server.add_unary("/t.Echo/Fail", [](const GrpcRequest&, std::string_view, GrpcResponder responder) {
    responder.fail({GrpcCode::permission_denied, awkward_text});
  });
  server.add_unary("/t.Echo/Never", [&never](const GrpcRequest&, std::string_view, GrpcResponder responder) {
    never.push_back(std::move(responder));
  });
  server.add_stream("/t.Echo/Stream", [](const GrpcRequest&, GrpcServerStream& stream) {
    return std::make_unique<Echo>(stream);
  });
  const auto listener =
      loop.listen(*Address::parse("127.0.0.1:0"), {}, [&server](std::unique_ptr<io::Stream> stream) {
        const Address peer = stream->peer_address();
        server.accept(std::move(stream), GrpcPeer{peer, std::nullopt});
      });
  std::printf("%d\n", (*listener)->local_address().port);
  std::fflush(stdout);
  loop.run();  // until it is killed
}

class Caller final : private GrpcClientStreamHandler {
 public:
  explicit Caller(const std::string& port)
      : address_(*Address::parse("127.0.0.1:" + port)),
        channel_(loop_, random_, options(port),
                 [this](auto done) { return loop_.connect(address_, {}, std::move(done)); }) {}

  void run() {
    const auto text_of = [](const Result<GrpcReply>& reply) {
      return reply ? str_cat(reply->status.to_string(), " ", reply->message.size(), " ",
                             reply->message.substr(0, 20))
                   : reply.error().message;
    };
    const auto expect = [&](const char* name, const Result<GrpcReply>& reply, bool held) {
      std::printf("%s %s%s\n", held ? "PASS" : "FAIL", name,
                  held ? "" : str_cat(": ", text_of(reply)).c_str());
    };
    auto reply = call("/t.Echo/Unary", "hello");
    expect("unary", reply, reply && reply->status.ok() && reply->message == "hello");
    const std::string large(3'900'000, 'x');
    reply = call("/t.Echo/Unary", large);
    expect("large message", reply, reply && reply->message == large);
    codec::Headers metadata;
    metadata.add("authorization", "Bearer token");
    reply = call("/t.Echo/Metadata", "", metadata);
    expect("metadata", reply, reply && reply->message == "Bearer token");
    reply = call("/t.Echo/Fail", "");
    expect("error status", reply,
           reply && reply->status == codec::GrpcStatus{GrpcCode::permission_denied, awkward_text});
    reply = call("/t.Echo/Nothing", "");
    expect("unknown method", reply, reply && reply->status.code == GrpcCode::unimplemented);
    reply = call("/t.Echo/Never", "", {}, 200ms);
    expect("deadline", reply,
           reply ? reply->status.code == GrpcCode::deadline_exceeded : reply.error().code == Code::timeout);
    std::printf("%s stream\n", stream() ? "PASS" : "FAIL");
  }

 private:
  static GrpcChannelOptions options(const std::string& port) {
    GrpcChannelOptions options;
    options.target = "python at " + port;
    options.authority = "127.0.0.1:" + port;
    options.scheme = "http";
    return options;
  }

  Result<GrpcReply> call(std::string_view method, std::string_view message,
                         const codec::Headers& metadata = {}, Duration timeout = 10s) {
    std::optional<Result<GrpcReply>> got;
    const auto handle = channel_.call(method, metadata, message, timeout,
                                      [&got](Result<GrpcReply> reply) { got = std::move(reply); });
    test::run_until(loop_, [&got] { return got.has_value(); });
    return got ? std::move(*got) : fail(Code::internal, "no answer at all");
  }

  bool stream() {
    const auto stream = channel_.open("/t.Echo/Stream", {}, *this);
    std::string sent;
    for (int i = 0; i < 200; ++i) {
      const std::string piece(static_cast<std::size_t>(i) * 100, static_cast<char>('a' + i % 26));
      sent += piece;
      stream->send(piece);
    }
    stream->half_close();
    test::run_until(loop_, [this] { return closed_.has_value(); });
    return closed_ && *closed_ && (*closed_)->ok() && received_ == sent && messages_ == 200;
  }

  void grpc_opened() override {}
  void grpc_message(std::string_view bytes) override {
    ++messages_;
    received_.append(bytes);
  }
  void grpc_drained() override {}
  void grpc_closed(const Result<codec::GrpcStatus>& how) override { closed_ = how; }

  io::UvLoop loop_;
  SeededRandom random_{1};
  Address address_;
  int messages_ = 0;
  std::string received_;
  std::optional<Result<codec::GrpcStatus>> closed_;
  GrpcChannel channel_;
};

}  // namespace
}  // namespace weft::http

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 1 && arguments[0] == "serve") {
    weft::http::serve();
  } else if (arguments.size() == 2 && arguments[0] == "call") {
    weft::http::Caller(arguments[1]).run();
  } else {
    std::fprintf(stderr, "usage: grpc_interop_peer serve | call PORT\n");
    return 2;
  }
  return 0;
}
