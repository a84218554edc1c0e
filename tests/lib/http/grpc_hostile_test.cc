// What a caller that is no good gRPC client gets: clear refusals, and an end of the connection for floods.
#include "codec/http2.h"
#include "tests/lib/http/grpc_fixture.h"
#include "tests/support/http2_frame.h"
#include "tests/support/stream_recorder.h"

namespace weft::http {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using test::raw_frame;

// Speaks HTTP/2 to the server without being a gRPC client.
class RawClient final : public codec::Http2Handler, private io::StreamHandler {
 public:
  explicit RawClient(std::unique_ptr<io::Stream> connected) : stream_(std::move(connected)) {
    stream_->start(*this);
  }

  codec::StreamId request(std::string_view path, const codec::Headers& headers, std::string_view body,
                          bool end = true) {
    codec::RequestHead head;
    head.method = "POST";
    head.target = path;
    head.scheme = "http";
    head.authority = "a";
    head.headers = headers;
    const codec::StreamId id = *session.request(head, false);
    session.send_data(id, body);
    if (end) session.send_end(id, {});
    flush();
    return id;
  }
  void write(std::string_view bytes) { stream_->write(bytes); }
  void flush() {
    for (std::string_view bytes = session.produce(); !bytes.empty(); bytes = session.produce())
      stream_->write(bytes);
  }

  codec::Http2Session session{codec::Http2Session::Role::client, *this};
  std::optional<codec::ResponseHead> response;
  std::optional<codec::Headers> trailers;
  std::optional<codec::Http2Code> goaway;
  bool over = false;

  std::string grpc_status() const {
    if (trailers && trailers->has("grpc-status")) return std::string(*trailers->get("grpc-status"));
    return response ? std::string(response->headers.get("grpc-status").value_or("none")) : "no answer";
  }

 private:
  void http2_request(codec::StreamId, codec::RequestHead&&, bool) override {}
  void http2_response(codec::StreamId, codec::ResponseHead&& head, bool) override {
    response = std::move(head);
  }
  void http2_data(codec::StreamId id, std::string_view bytes) override { session.consume(id, bytes.size()); }
  void http2_end(codec::StreamId, codec::Headers&& got) override { trailers = std::move(got); }
  void http2_drained(codec::StreamId) override {}
  void http2_closed(codec::StreamId, codec::Http2Code) override {}
  void http2_goaway(codec::StreamId, codec::Http2Code code, std::string_view) override { goaway = code; }
  void http2_pong(std::uint64_t) override {}
  void stream_data(std::string_view bytes) override {
    session.feed(bytes, MonotonicTime{});
    flush();
  }
  void stream_end() override { over = true; }
  void stream_drained() override {}
  void stream_failed(const Error&) override { over = true; }

  std::unique_ptr<io::Stream> stream_;
};

codec::Headers grpc_headers() {
  codec::Headers headers;
  headers.add("content-type", "application/grpc+proto");
  headers.add("te", "trailers");
  return headers;
}

std::string framed(std::string_view message) {
  std::string out;
  codec::write_grpc_frame(out, message);
  return out;
}

class GrpcHostileTest : public GrpcTest {
 protected:
  void SetUp() override {
    serve();
    const auto connecting = loop.connect(address, {}, [this](Result<std::unique_ptr<io::Stream>> made) {
      raw = std::make_unique<RawClient>(std::move(*made));
    });
    ASSERT_TRUE(until([this] { return raw != nullptr; }));
  }
  void TearDown() override {
    // Whatever was done to one connection, the server goes on.
    dial();
    const auto reply = call("/t.Echo/Unary", "still here");
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->message, "still here");
  }
  std::string status_for(const codec::Headers& headers, std::string_view body,
                         std::string_view path = "/t.Echo/Unary") {
    raw->request(path, headers, body);
    EXPECT_TRUE(until([this] { return raw->grpc_status() != "no answer" && raw->grpc_status() != "none"; }));
    return raw->grpc_status();
  }
  void expect_flood_ends_connection(const std::string& flood) {
    raw->flush();
    ASSERT_TRUE(until([this] { return server->connections() == 1; }));
    raw->write(flood);
    ASSERT_TRUE(until([this] { return raw->over; }));
    EXPECT_TRUE(until([this] { return server->connections() == 0; }));
  }

  std::unique_ptr<RawClient> raw;
};

TEST_F(GrpcHostileTest, AnotherContentTypeIs415) {
  for (const char* type : {"application/json", "application/grpcweb", ""}) {
    codec::Headers headers;
    if (*type != '\0') headers.add("content-type", type);
    raw->response.reset();
    raw->request("/t.Echo/Unary", headers, "{}");
    ASSERT_TRUE(until([this] { return raw->response.has_value(); }));
    EXPECT_EQ(raw->response->status, 415) << type;
    EXPECT_FALSE(raw->response->headers.has("grpc-status"));
  }
}

TEST_F(GrpcHostileTest, ContentSubtypesAreGrpc) { EXPECT_EQ(status_for(grpc_headers(), framed("x")), "0"); }

TEST_F(GrpcHostileTest, AnUnknownMethodIsTrailersOnly) {
  EXPECT_EQ(status_for(grpc_headers(), framed("x"), "/nobody"), "12");
  EXPECT_EQ(raw->response->status, 200);
  EXPECT_FALSE(raw->trailers);
}

TEST_F(GrpcHostileTest, ACompressedMessageIsRefused) {
  EXPECT_EQ(status_for(grpc_headers(), "\1\0\0\0\1x"s), "13");
}

TEST_F(GrpcHostileTest, AnEncodingThatWasNotOfferedIsUnimplemented) {
  codec::Headers headers = grpc_headers();
  headers.add("grpc-encoding", "gzip");
  EXPECT_EQ(status_for(headers, framed("x")), "12");
}

TEST_F(GrpcHostileTest, AMalformedTimeoutIsRefused) {
  codec::Headers headers = grpc_headers();
  headers.add("grpc-timeout", "soon");
  EXPECT_EQ(status_for(headers, framed("x")), "13");
}

TEST_F(GrpcHostileTest, AUnaryCallWithoutOrWithTwoMessagesIsRefused) {
  EXPECT_EQ(status_for(grpc_headers(), ""), "12");
  raw->response.reset();
  raw->trailers.reset();
  EXPECT_EQ(status_for(grpc_headers(), framed("x") + framed("y")), "12");
}

TEST_F(GrpcHostileTest, ARequestThatEndsWithinAMessageIsRefused) {
  EXPECT_EQ(status_for(grpc_headers(), framed("hello").substr(0, 8)), "13");
}

TEST_F(GrpcHostileTest, ADeadlineIsEnforcedForACallerThatJustWaits) {
  codec::Headers headers = grpc_headers();
  headers.add("grpc-timeout", "50m");
  EXPECT_EQ(status_for(headers, framed("x"), "/t.Echo/Later"), "4");
  EXPECT_FALSE(parked.at(0).active());
}

TEST_F(GrpcHostileTest, ARapidResetFloodEndsTheConnection) {
  std::string flood;
  // :method POST, :scheme http, :path /, :authority "a"
  const std::string head = "\x83\x86\x84\x41\x01"s + "a";
  for (codec::StreamId id = 1; id < 2 * 1000; id += 2) {
    flood += raw_frame(1, 4, id, head) + raw_frame(3, 0, id, "\0\0\0\x08"s);
  }
  expect_flood_ends_connection(flood);
}

TEST_F(GrpcHostileTest, APingFloodEndsTheConnection) {
  std::string flood;
  for (int i = 0; i < 10000; ++i) flood += raw_frame(6, 0, 0, "12345678");
  expect_flood_ends_connection(flood);
}

TEST_F(GrpcHostileTest, ASettingsFloodEndsTheConnection) {
  std::string flood;
  for (int i = 0; i < 10000; ++i) flood += raw_frame(4, 0, 0, "");
  expect_flood_ends_connection(flood);
}

TEST_F(GrpcHostileTest, AContinuationFloodEndsTheConnection) {
  std::string flood = raw_frame(1, 0, 1, "\x83\x86\x84");
  for (int i = 0; i < 10000; ++i) flood += raw_frame(9, 0, 1, "");
  expect_flood_ends_connection(flood);
}

TEST_F(GrpcHostileTest, SomethingThatIsNotHttp2EndsTheConnection) {
  std::unique_ptr<test::StreamRecorder> plain;
  const auto connecting = loop.connect(address, {}, [&](Result<std::unique_ptr<io::Stream>> made) {
    plain = std::make_unique<test::StreamRecorder>(std::move(*made));
    plain->stream->write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  });
  ASSERT_TRUE(until([&] { return plain && plain->over(); }));
}

}  // namespace
}  // namespace weft::http
