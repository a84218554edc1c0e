// Calls and streams of GrpcServer and GrpcChannel against each other; tests/e2e/test_grpc_peer.py has each
// against real gRPC.
#include "tests/lib/http/grpc_fixture.h"

namespace weft::http {
namespace {

using codec::GrpcCode;
using codec::GrpcStatus;
using namespace std::chrono_literals;

// ---- unary ----

TEST_F(GrpcTest, AUnaryCallIsAnswered) {
  serve();
  dial();
  const auto reply = call("/t.Echo/Unary", "hello");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_TRUE(reply->status.ok());
  EXPECT_EQ(reply->message, "hello");
}

TEST_F(GrpcTest, EmptyAndLargestMessagesPass) {
  serve();
  dial();
  EXPECT_EQ(call("/t.Echo/Unary", "")->message, "");
  const std::string large(limits::grpc_message_bytes_max, 'x');
  EXPECT_EQ(call("/t.Echo/Unary", large)->message, large);
}

TEST_F(GrpcTest, AMessageAboveTheLimitIsRefusedByTheServer) {
  GrpcServerOptions options;
  options.message_bytes_max = 1000;
  serve(options);
  dial();
  const auto reply = call("/t.Echo/Unary", std::string(1001, 'x'));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status.code, GrpcCode::resource_exhausted);
}

TEST_F(GrpcTest, AMessageAboveTheLimitIsRefusedByTheClient) {
  serve();
  GrpcChannelOptions options = quick();
  options.message_bytes_max = 1000;
  dial(options);
  const auto reply = call("/t.Echo/Unary", std::string(1001, 'x'));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::limit);
  EXPECT_EQ(call("/t.Echo/Unary", "next")->message, "next");
}

TEST_F(GrpcTest, ManyCallsAtOnceShareOneConnection) {
  serve();
  dial();
  constexpr int calls = 500;  // far above the server's limit of streams
  int answered = 0;
  std::vector<std::unique_ptr<GrpcCall>> handles;
  handles.reserve(calls);
  for (int i = 0; i < calls; ++i) {
    handles.push_back(channel->call("/t.Echo/Unary", {}, std::to_string(i), 10s, [&answered, i](auto reply) {
      ASSERT_TRUE(reply) << reply.error().message;
      EXPECT_EQ(reply->message, std::to_string(i));
      ++answered;
    }));
  }
  EXPECT_TRUE(until([&] { return answered == calls; }));
  EXPECT_EQ(attempts, 1);
}

TEST_F(GrpcTest, AnErrorStatusCarriesItsTextWhateverIsInIt) {
  serve();
  dial();
  const auto reply = call("/t.Echo/Fail", "100 % d\xc3\xa9j\xc3\xa0\nvu");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, (GrpcStatus{GrpcCode::permission_denied, "100 % d\xc3\xa9j\xc3\xa0\nvu"}));
  EXPECT_EQ(reply->message, "");
}

TEST_F(GrpcTest, AnUnknownMethodIsUnimplemented) {
  serve();
  dial();
  const auto reply = call("/t.Echo/Nothing", "");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status.code, GrpcCode::unimplemented);
}

TEST_F(GrpcTest, HandlersReadMetadataPeerAndDeadline) {
  serve();
  dial();
  codec::Headers metadata;
  metadata.add("authorization", "Bearer x");
  const auto stream = channel->open("/t.Echo/Stream", metadata, client, 5s);
  EXPECT_TRUE(until([&] { return client.opened == 1; }));
  EXPECT_EQ(last_request->method, "/t.Echo/Stream");
  EXPECT_EQ(last_request->metadata.get("authorization"), "Bearer x");
  EXPECT_EQ(last_request->metadata.size(), 1u);
  EXPECT_EQ(last_request->peer->address.ip.to_string(), "127.0.0.1");
  EXPECT_EQ(last_request->peer->identity->service_account, "hello");
  ASSERT_TRUE(last_request->deadline);
  EXPECT_LE(*last_request->deadline, loop.now() + 5s);
  EXPECT_GT(*last_request->deadline, loop.now() + 2s);
}

TEST_F(GrpcTest, AnAnswerMayComeLater) {
  serve();
  dial();
  std::optional<Result<GrpcReply>> reply;
  const auto handle = start("/t.Echo/Later", "", reply);
  ASSERT_TRUE(until([&] { return !parked.empty(); }));
  EXPECT_TRUE(parked[0].active());
  parked[0].reply("at last");
  EXPECT_FALSE(parked[0].active());
  parked[0].reply("twice");  // goes nowhere
  ASSERT_TRUE(until([&] { return reply.has_value(); }));
  EXPECT_EQ((*reply)->message, "at last");
}

TEST_F(GrpcTest, ADroppedResponderAnswersInternal) {
  serve();
  dial();
  std::optional<Result<GrpcReply>> reply;
  const auto handle = start("/t.Echo/Later", "", reply);
  ASSERT_TRUE(until([&] { return !parked.empty(); }));
  parked.clear();
  ASSERT_TRUE(until([&] { return reply.has_value(); }));
  EXPECT_EQ((*reply)->status.code, GrpcCode::internal);
}

TEST_F(GrpcTest, AResponderMayOutliveItsServer) {
  serve();
  dial();
  std::optional<Result<GrpcReply>> reply;
  const auto handle = start("/t.Echo/Later", "", reply);
  ASSERT_TRUE(until([&] { return !parked.empty(); }));
  server.reset();
  EXPECT_FALSE(parked[0].active());
  parked[0].reply("nobody");
  parked.clear();
  ASSERT_TRUE(until([&] { return reply.has_value(); }));
  ASSERT_FALSE(*reply);
  EXPECT_EQ(reply->error().code, Code::unavailable);
}

TEST_F(GrpcTest, ADestroyedCallIsCancelledAndNotAnswered) {
  serve();
  dial();
  std::optional<Result<GrpcReply>> reply;
  auto handle = start("/t.Echo/Later", "", reply);
  ASSERT_TRUE(until([&] { return !parked.empty(); }));
  handle.reset();
  EXPECT_TRUE(until([&] { return !parked[0].active(); }));
  parked[0].reply("late");
  EXPECT_EQ(call("/t.Echo/Unary", "on")->message, "on");
  EXPECT_FALSE(reply);
  EXPECT_EQ(attempts, 1);
}

TEST_F(GrpcTest, ACallEndsAtItsDeadlineOnBothSides) {
  serve();
  dial();
  const auto reply = call("/t.Echo/Later", "", 100ms);
  if (reply) {
    EXPECT_EQ(reply->status.code, GrpcCode::deadline_exceeded);
  } else {
    EXPECT_EQ(reply.error().code, Code::timeout);
    EXPECT_NE(reply.error().message.find("echo at 127.0.0.1: /t.Echo/Later: no answer within 100 ms"),
              std::string::npos)
        << reply.error().message;
  }
  EXPECT_TRUE(until([&] { return !parked[0].active(); }));
}

// ---- streams ----

TEST_F(GrpcTest, AStreamCarriesMessagesBothWaysAndEndsInOrder) {
  serve();
  dial();
  log.on_message = [](GrpcServerStream& stream, std::string_view bytes) { stream.send(bytes); };
  log.on_half_closed = [](GrpcServerStream& stream) { stream.finish({GrpcCode::aborted, "that was all"}); };
  const auto stream = channel->open("/t.Echo/Stream", {}, client);
  std::string sent;
  for (int i = 0; i < 1000; ++i) {
    sent += std::to_string(i);
    stream->send(std::to_string(i));
  }
  stream->half_close();
  EXPECT_TRUE(client.closed.empty());
  ASSERT_TRUE(until([&] { return !client.closed.empty() && log.destroyed == 1; }));
  EXPECT_EQ(log.received, sent);
  EXPECT_EQ(client.received, sent);
  EXPECT_EQ(client.messages, 1000u);
  EXPECT_EQ(log.half_closes, 1);
  EXPECT_EQ(client.closed.size(), 1u);
  EXPECT_EQ(*client.closed[0], (GrpcStatus{GrpcCode::aborted, "that was all"}));
  EXPECT_EQ(log.closed, std::vector<GrpcStatus>{*client.closed[0]});
}

TEST_F(GrpcTest, AStreamIsOpenedBeforeTheFirstMessage) {
  serve();
  dial();
  const auto stream = channel->open("/t.Echo/Stream", {}, client);
  EXPECT_TRUE(until([&] { return client.opened == 1; }));
  EXPECT_EQ(client.messages, 0u);
}

TEST_F(GrpcTest, AFactoryMayRefuseAtOnce) {
  serve();
  server->add_stream("/t.Echo/No", [this](const GrpcRequest&, GrpcServerStream& stream) {
    stream.finish({GrpcCode::permission_denied, "not you"});
    return std::make_unique<RecordingHandler>(log, stream);
  });
  dial();
  const auto stream = channel->open("/t.Echo/No", {}, client);
  ASSERT_TRUE(until([&] { return !client.closed.empty() && log.destroyed == 1; }));
  EXPECT_EQ(client.closed[0]->code, GrpcCode::permission_denied);
  EXPECT_EQ(client.opened, 0);
}

TEST_F(GrpcTest, CancellingAStreamTellsTheServer) {
  serve();
  dial();
  auto stream = channel->open("/t.Echo/Stream", {}, client);
  ASSERT_TRUE(until([&] { return client.opened == 1; }));
  stream.reset();
  ASSERT_TRUE(until([&] { return log.destroyed == 1; }));
  EXPECT_EQ(log.closed[0].code, GrpcCode::cancelled);
  EXPECT_TRUE(client.closed.empty());
}

TEST_F(GrpcTest, AServerThatFinishesFirstEndsTheStream) {
  serve();
  dial();
  log.on_message = [](GrpcServerStream& stream, std::string_view) {
    stream.finish({GrpcCode::not_found, "no"});
  };
  const auto stream = channel->open("/t.Echo/Stream", {}, client);
  stream->send("x");
  ASSERT_TRUE(until([&] { return !client.closed.empty() && log.destroyed == 1; }));
  EXPECT_EQ(client.closed[0]->code, GrpcCode::not_found);
  stream->send("late");
  stream->half_close();
  EXPECT_FALSE(stream->writable());
}

TEST_F(GrpcTest, ASenderIsHeldBackByAPausedClientAndGoesOn) {
  serve();
  dial();
  const auto stream = channel->open("/t.Echo/Stream", {}, client);
  ASSERT_TRUE(until([&] { return client.opened == 1; }));
  stream->pause();
  const std::string piece(16 * 1024, 'p');
  std::size_t sent = 0;
  ASSERT_TRUE(until([&] {
    if (!log.stream->writable()) return true;
    log.stream->send(piece);
    ++sent;
    return false;
  }));
  test::run_for(loop, 50ms);
  EXPECT_FALSE(log.stream->writable());
  EXPECT_EQ(client.messages, 0u);
  EXPECT_LT(sent * piece.size(), 4u * 1024 * 1024);
  log.stream->finish({});
  stream->resume();
  EXPECT_EQ(client.messages, 0u) << "a message inside resume()";
  ASSERT_TRUE(until([&] { return !client.closed.empty(); }));
  EXPECT_EQ(client.messages, sent);
  EXPECT_TRUE(client.closed[0]->ok());
}

TEST_F(GrpcTest, APausedServerHoldsItsCallerBack) {
  serve();
  dial();
  log.on_message = [](GrpcServerStream& stream, std::string_view) { stream.pause(); };
  const auto stream = channel->open("/t.Echo/Stream", {}, client);
  const std::string piece(100 * 1024, 'p');
  int sent = 0;
  for (; stream->writable(); ++sent) stream->send(piece);
  ASSERT_TRUE(until([&] { return log.messages == 1; }));
  for (int i = 0; i < 100 && stream->writable(); ++i, ++sent) {
    stream->send(piece);
    test::run_for(loop, 2ms);
  }
  EXPECT_FALSE(stream->writable());
  EXPECT_EQ(log.messages, 1u);
  stream->half_close();
  ASSERT_TRUE(until([&] {
    if (log.stream != nullptr) log.stream->resume();
    return log.half_closes == 1;
  }));
  EXPECT_EQ(log.messages, static_cast<std::size_t>(sent));
  EXPECT_GE(client.drains, 1);
}

TEST_F(GrpcTest, AStreamMayBeDestroyedInsideItsOwnMessage) {
  serve();
  dial();
  log.on_message = [](GrpcServerStream& stream, std::string_view bytes) {
    for (int i = 0; i < 3; ++i) stream.send(bytes);
  };
  std::unique_ptr<GrpcClientStream> stream = channel->open("/t.Echo/Stream", {}, client);
  client.on_message = [&stream] { stream.reset(); };
  stream->send("x");
  ASSERT_TRUE(until([&] { return log.destroyed == 1; }));
  EXPECT_EQ(client.messages, 1u);
  EXPECT_TRUE(client.closed.empty());
}

TEST_F(GrpcTest, AChannelMayBeDestroyedInsideAnAnswer) {
  serve();
  dial();
  bool answered = false;
  std::unique_ptr<GrpcCall> other = channel->call("/t.Echo/Later", {}, "", 10s, [](auto) { FAIL(); });
  std::unique_ptr<GrpcCall> handle = channel->call("/t.Echo/Unary", {}, "x", 10s, [&](auto) {
    answered = true;
    handle.reset();
    channel.reset();
  });
  ASSERT_TRUE(until([&] { return answered; }));
  ASSERT_TRUE(until([&] { return server->connections() == 0; }));
  EXPECT_FALSE(parked[0].active());
}

TEST_F(GrpcTest, AChannelMayBeDestroyedWhenItsConnectionIsLost) {
  serve();
  dial();
  int failed = 0;
  std::vector<std::unique_ptr<GrpcCall>> handles;
  handles.reserve(5);
  for (int i = 0; i < 5; ++i) {
    handles.push_back(channel->call("/t.Echo/Later", {}, "", 10s, [&](auto reply) {
      EXPECT_FALSE(reply);
      ++failed;
      channel.reset();
    }));
  }
  ASSERT_TRUE(until([&] { return parked.size() == 5; }));
  server.reset();
  ASSERT_TRUE(until([&] { return failed > 0; }));
  test::run_for(loop, 20ms);
  EXPECT_EQ(failed, 1);
}

}  // namespace
}  // namespace weft::http
