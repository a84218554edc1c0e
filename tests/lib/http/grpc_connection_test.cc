// How connections of GrpcServer and GrpcChannel come and go, what drains, and health.
#include "grpc/health/v1/health.pb.h"
#include "tests/lib/http/grpc_fixture.h"

namespace weft::http {
namespace {

using codec::GrpcCode;
using namespace std::chrono_literals;

// ---- connections ----

TEST_F(GrpcTest, ALostConnectionEndsItsCallsAndTheNextCallMakesANewOne) {
  serve();
  dial();
  const auto stream = channel->open("/t.Echo/Stream", {}, client);
  ASSERT_TRUE(until([&] { return client.opened == 1; }));
  server.reset();
  EXPECT_EQ(log.destroyed, 1);
  EXPECT_TRUE(log.closed.empty());  // a destroyed server says nothing
  ASSERT_TRUE(until([&] { return !client.closed.empty(); }));
  ASSERT_FALSE(client.closed[0]);
  EXPECT_EQ(client.closed[0].error().code, Code::unavailable);
  EXPECT_EQ(client.closed[0].error().message.find("echo at 127.0.0.1: /t.Echo/Stream: connection lost"), 0u);
  const Address before = address;
  serve();
  EXPECT_EQ(call("/t.Echo/Unary", "again")->message, "again");
  EXPECT_NE(before.port, address.port);
  EXPECT_EQ(attempts, 2);
}

TEST_F(GrpcTest, ALostCallerEndsItsCallOnTheServer) {
  serve();
  dial();
  const auto stream = channel->open("/t.Echo/Stream", {}, client);
  ASSERT_TRUE(until([&] { return client.opened == 1; }));
  channel.reset();
  ASSERT_TRUE(until([&] { return log.destroyed == 1; }));
  EXPECT_EQ(log.closed.at(0).code, GrpcCode::unavailable);
  EXPECT_TRUE(client.closed.empty());
}

TEST_F(GrpcTest, ARefusedConnectionFailsTheCallsWaitingAndBacksOff) {
  serve();
  const Address taken = address;
  listener.reset();
  dial();
  const auto reply = call("/t.Echo/Unary", "x");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().message.find("echo at 127.0.0.1: /t.Echo/Unary: no connection: "), 0u)
      << reply.error().message;
  EXPECT_EQ(channel->state(), GrpcChannel::State::backing_off);
  // A call made now waits for the next attempt.
  listen(taken);
  EXPECT_EQ(call("/t.Echo/Unary", "y")->message, "y");
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(states,
            (std::vector<GrpcChannel::State>{GrpcChannel::State::connecting, GrpcChannel::State::backing_off,
                                             GrpcChannel::State::connecting, GrpcChannel::State::ready}));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].find("echo at 127.0.0.1: no connection: "), 0u);
}

TEST_F(GrpcTest, AConnectThatNeverEndsIsGivenUp) {
  serve();
  GrpcChannelOptions options = quick();
  options.connect_timeout = 50ms;
  GrpcChannel stuck(loop, random, options,
                    [](GrpcChannel::ConnectDone) { return std::make_unique<io::Connecting>(); });
  std::optional<Result<GrpcReply>> reply;
  const auto handle =
      stuck.call("/t.Echo/Unary", {}, "x", 5s, [&reply](auto got) { reply = std::move(got); });
  ASSERT_TRUE(until([&] { return reply.has_value(); }));
  ASSERT_FALSE(*reply);
  EXPECT_EQ(reply->error().code, Code::timeout);
}

TEST_F(GrpcTest, ASilentServerIsNoticedByPings) {
  std::vector<std::unique_ptr<io::Stream>> silent;  // accepted, never read
  listener =
      std::move(*loop.listen(*Address::parse("127.0.0.1:0"), {}, [&](std::unique_ptr<io::Stream> stream) {
        silent.push_back(std::move(stream));
      }));
  address = listener->local_address();
  GrpcChannelOptions options = quick();
  options.keepalive_interval = 50ms;
  options.keepalive_timeout = 50ms;
  dial(options);
  const auto stream = channel->open("/t.Echo/Stream", {}, client);
  ASSERT_TRUE(until([&] { return !client.closed.empty(); }));
  ASSERT_FALSE(client.closed[0]);
  EXPECT_NE(client.closed[0].error().message.find("silent"), std::string::npos)
      << client.closed[0].error().message;
}

TEST_F(GrpcTest, AnOpenStreamSurvivesSilenceAsLongAsPingsAreAnswered) {
  serve();
  GrpcChannelOptions options = quick();
  options.keepalive_interval = 20ms;
  options.keepalive_timeout = 200ms;
  dial(options);
  const auto stream = channel->open("/t.Echo/Stream", {}, client);
  test::run_for(loop, 300ms);
  EXPECT_TRUE(client.closed.empty());
  EXPECT_EQ(client.opened, 1);
}

TEST_F(GrpcTest, ASilentCallerIsNoticedByPings) {
  GrpcServerOptions options;
  options.keepalive_interval = 50ms;
  options.keepalive_timeout = 50ms;
  serve(options);
  std::unique_ptr<io::Stream> silent;
  const auto connecting = loop.connect(address, {}, [&](auto made) { silent = std::move(*made); });
  ASSERT_TRUE(until([&] { return server->connections() == 1; }));
  ASSERT_TRUE(until([&] { return server->connections() == 0; }));
}

TEST_F(GrpcTest, AnIdleConnectionIsToldToGo) {
  GrpcServerOptions options;
  options.idle_timeout = 50ms;
  serve(options);
  dial();
  EXPECT_TRUE(call("/t.Echo/Unary", "x"));
  ASSERT_TRUE(
      until([&] { return server->connections() == 0 && channel->state() == GrpcChannel::State::idle; }));
  EXPECT_TRUE(call("/t.Echo/Unary", "x"));
  EXPECT_EQ(attempts, 2);
}

TEST_F(GrpcTest, ARenewedConnectionLetsOldCallsFinish) {
  serve();
  dial();
  log.on_half_closed = [](GrpcServerStream& stream) { stream.finish({}); };
  const auto stream = channel->open("/t.Echo/Stream", {}, client);
  ASSERT_TRUE(until([&] { return client.opened == 1; }));
  channel->renew_connection();
  EXPECT_EQ(call("/t.Echo/Unary", "x")->message, "x");
  EXPECT_EQ(attempts, 2);
  EXPECT_EQ(server->connections(), 2u);
  stream->half_close();
  ASSERT_TRUE(until([&] { return !client.closed.empty() && server->connections() == 1; }));
  EXPECT_TRUE(client.closed[0]->ok());
}

// ---- drain ----

TEST_F(GrpcTest, DrainLetsCallsFinishAndSendsNewOnesElsewhere) {
  serve();
  dial();
  std::optional<Result<GrpcReply>> reply;
  const auto handle = start("/t.Echo/Later", "", reply);
  ASSERT_TRUE(until([&] { return !parked.empty(); }));
  bool drained = false;
  server->drain(10s, [&] { drained = true; });
  EXPECT_FALSE(drained);
  ASSERT_TRUE(until([&] { return channel->state() == GrpcChannel::State::idle; }));
  EXPECT_FALSE(drained);
  parked[0].reply("done");
  ASSERT_TRUE(until([&] { return drained && reply.has_value(); }));
  EXPECT_EQ((*reply)->message, "done");
  EXPECT_FALSE(call("/t.Echo/Unary", "x"));  // the listener still accepts, the server does not
}

TEST_F(GrpcTest, DrainCutsWhatDoesNotFinish) {
  serve();
  dial();
  const auto stream = channel->open("/t.Echo/Stream", {}, client);
  ASSERT_TRUE(until([&] { return client.opened == 1; }));
  bool drained = false;
  server->drain(50ms, [&] { drained = true; });
  ASSERT_TRUE(until([&] { return drained && !client.closed.empty(); }));
  EXPECT_EQ(log.closed.at(0).code, GrpcCode::unavailable);
  EXPECT_FALSE(client.closed[0]);
}

TEST_F(GrpcTest, DrainOfAnIdleServerIsDoneAtOnceButNotInline) {
  serve();
  int drained = 0;
  server->drain(10s, [&] { ++drained; });
  EXPECT_EQ(drained, 0);
  EXPECT_TRUE(until([&] { return drained == 1; }));
}

// ---- health ----

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

std::string ask(std::string_view service) {
  HealthCheckRequest request;
  request.set_service(std::string(service));
  return request.SerializeAsString();
}

HealthCheckResponse::ServingStatus answer(std::string_view bytes) {
  HealthCheckResponse response;
  EXPECT_TRUE(response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return response.status();
}

TEST_F(GrpcTest, HealthKnowsTheRegisteredServices) {
  serve();
  dial();
  EXPECT_EQ(answer(call("/grpc.health.v1.Health/Check", ask(""))->message), HealthCheckResponse::SERVING);
  EXPECT_EQ(answer(call("/grpc.health.v1.Health/Check", ask("t.Echo"))->message),
            HealthCheckResponse::SERVING);
  EXPECT_EQ(call("/grpc.health.v1.Health/Check", ask("t.Nothing"))->status.code, GrpcCode::not_found);
  EXPECT_EQ(call("/grpc.health.v1.Health/Check", "\xff")->status.code, GrpcCode::invalid_argument);
  server->set_serving("t.Echo", false);
  EXPECT_EQ(answer(call("/grpc.health.v1.Health/Check", ask("t.Echo"))->message),
            HealthCheckResponse::NOT_SERVING);
}

TEST_F(GrpcTest, HealthWatchTellsChangesAndEndsWithTheServer) {
  serve();
  dial();
  std::vector<HealthCheckResponse::ServingStatus> told;
  client.on_message = [&] {
    told.push_back(answer(client.received));
    client.received.clear();
  };
  const auto stream = channel->open("/grpc.health.v1.Health/Watch", {}, client);
  stream->send(ask("t.Echo"));
  stream->half_close();
  ASSERT_TRUE(until([&] { return told.size() == 1; }));
  server->set_serving("t.Echo", false);
  ASSERT_TRUE(until([&] { return told.size() == 2; }));
  server->set_serving("t.Echo", true);
  ASSERT_TRUE(until([&] { return told.size() == 3; }));
  bool drained = false;
  server->drain(10s, [&] { drained = true; });
  ASSERT_TRUE(until([&] { return drained && !client.closed.empty(); }));
  EXPECT_EQ(told, (std::vector{HealthCheckResponse::SERVING, HealthCheckResponse::NOT_SERVING,
                               HealthCheckResponse::SERVING, HealthCheckResponse::NOT_SERVING}));
  EXPECT_EQ(client.closed[0]->code, GrpcCode::unavailable);
}

}  // namespace
}  // namespace weft::http
