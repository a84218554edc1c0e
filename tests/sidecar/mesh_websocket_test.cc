// WebSocket and other tunnels of HTTP/2 callers through two sidecars (RFC 8441, RFC 9113 § 8.5).
#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/lib/http/http2_fixture.h"
#include "tests/sidecar/mesh_fixture.h"
#include "tests/support/websocket.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using http::Http2ClientSide;
using http::Http2ServerSide;
using http::SentRequest;
using http::ServedRequest;

constexpr std::string_view no_settings("\0\0\0\4\0\0\0\0\0", 9);  // that differ from the defaults
constexpr std::string_view handshake =
    "GET /chat HTTP/1.1\r\nHost: world\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

class MeshWebSocketTest : public MeshTest {
 protected:
  // `spoken` is what the application's port is declared to speak.
  void declare(policy::Protocol spoken) {
    world_->set_inbound(speaking(*world_, spoken));
    hello_->know({service({world_->endpoint(app_port)})});
  }
  void listen(std::function<void(std::unique_ptr<io::Stream>)> accepted) {
    listener_ = *world_->loop().listen({world_->ip(), app_port}, {}, std::move(accepted));
  }
  void connect() {
    connecting_ = hello_->connect(Address::parse("198.18.128.1:80").value(), [this](auto stream) {
      ASSERT_TRUE(stream) << stream.error().message;
      caller_.take(*std::move(stream));
    });
    ASSERT_TRUE(network_.run_until([&] { return caller_.connection != nullptr; }));
  }
  static codec::RequestHead websocket(const char* path = "/chat") {
    codec::RequestHead head = http::request("CONNECT", path, {{"sec-websocket-version", "13"}});
    head.authority = "world";
    head.protocol = "websocket";
    return head;
  }
  bool over(const SentRequest& request) {
    return network_.run_until([&] { return !request.outcome.empty(); });
  }

  std::unique_ptr<SimPod> hello_ = pod("198.18.0.1", "hello");
  std::unique_ptr<SimPod> world_ = pod("198.18.0.2", "world");
  std::unique_ptr<io::Listener> listener_;
  std::unique_ptr<io::Connecting> connecting_;
  Http2ClientSide caller_{hello_->loop()};
};

// An application that speaks HTTP/1.1 and answers a request to switch by `status`.
class Http1WebSocketTest : public MeshWebSocketTest {
 protected:
  void serve(int status, std::string_view key = {}) {
    declare(policy::Protocol::http1);
    application_.on = [this, status, key](std::string_view event) {
      if (event != "begins") return;
      if (status != 101) return application_.reply(status, "no");
      codec::ResponseHead head;
      head.status = 101;
      head.headers.add("Upgrade", "websocket");
      const std::string read(key.empty() ? application_.head.headers.get("sec-websocket-key").value_or("")
                                         : key);
      head.headers.add("Sec-WebSocket-Accept", websocket_accept(read));
      application_.exchange->send_head(head, false);
    };
    listen([this](std::unique_ptr<io::Stream> stream) { application_.take(std::move(stream)); });
    connect();
  }

  http::ServerSide application_{world_->loop()};
};

TEST_F(Http1WebSocketTest, OverHttp2ReachesAnApplicationOfHttp1AsAnUpgrade) {
  serve(101);
  SentRequest& sent = caller_.send(websocket(), false);
  sent.exchange->send_body("early");  // HTTP/2 does not forbid it
  ASSERT_TRUE(network_.run_until([&] { return sent.head.status != 0; }));
  EXPECT_EQ(sent.head.status, 200);
  EXPECT_FALSE(sent.head.headers.has("upgrade") || sent.head.headers.has("sec-websocket-accept"));
  EXPECT_EQ(application_.head.method, "GET");
  EXPECT_EQ(application_.head.target, "/chat");
  EXPECT_EQ(application_.head.headers.get("upgrade"), "websocket");
  EXPECT_TRUE(application_.head.headers.has("sec-websocket-key"));
  ASSERT_TRUE(network_.run_until([&] { return application_.body == "early"; }));
  sent.exchange->send_body(", late");
  application_.exchange->send_body("hello");
  ASSERT_TRUE(network_.run_until([&] { return application_.body == "early, late" && sent.body == "hello"; }));
  sent.exchange->send_end({});
  application_.exchange->send_body(", bye");
  application_.exchange->send_end({});
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.outcome, "finished");
  EXPECT_EQ(sent.body, "hello, bye");
  EXPECT_TRUE(network_.run_until([&] { return !caller_.connection || caller_.connection->available(); }));
  EXPECT_TRUE(caller_.connection) << (caller_.close_error ? caller_.close_error->message : "closed");
}

TEST_F(Http1WebSocketTest, AnAnswerToAnotherKeyIsNoWebSocket) {
  serve(101, "dGhlIHNhbXBsZSBub25jZQ==");
  SentRequest& sent = caller_.send(websocket(), false);
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.head.status, 502);
  EXPECT_EQ(sent.head.headers.get("x-weft-error"), "upgrade-refused");
}

TEST_F(Http1WebSocketTest, ARefusalIsPassedOn) {
  serve(403);
  const SentRequest& sent = caller_.send(websocket(), false);
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.head.status, 403);
  EXPECT_EQ(sent.body, "no");
}

TEST_F(Http1WebSocketTest, AnAnswerThatDoesNotSwitchIsNotTakenForATunnel) {
  serve(200);
  const SentRequest& sent = caller_.send(websocket(), false);
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.head.status, 502);
  EXPECT_EQ(sent.head.headers.get("x-weft-error"), "upgrade-refused");
}

// The same handshake over HTTP/1.1 is a GET; rules must not be passed by the other spelling.
TEST_F(Http1WebSocketTest, RulesSeeAGet) {
  serve(101);
  policy::InboundPolicy policy = world_->inbound_policy();
  policy::RbacRule rule;
  rule.name = "service default/world deny #1";
  rule.action = policy::RbacAction::deny;
  rule.methods = {"GET"};
  rule.paths = {"/chat/*"};
  policy.ports[0].rules = {rule};
  policy.ports[0].protocol = policy::Protocol::http1;
  world_->set_inbound(policy);
  const SentRequest& sent = caller_.send(websocket("/x/../chat"), false);
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.head.status, 403);
  EXPECT_EQ(application_.begins, 0);
}

class Http2TunnelTest : public MeshWebSocketTest {
 protected:
  void serve() {
    declare(policy::Protocol::http2);
    application_.on_request = [](ServedRequest& request) {
      request.exchange->send_head(http::response(200), false);
      request.on_body = [&request] {
        request.exchange->send_body(request.body);
        request.body.clear();
      };
      request.on_end = [&request] { request.exchange->send_end({}); };
    };
    listen([this](std::unique_ptr<io::Stream> stream) { application_.take(std::move(stream)); });
    connect();
  }
  // From now on, of all paths or of these.
  void refuse(std::vector<std::string> paths) {
    policy::InboundPolicy policy = world_->inbound_policy();
    policy::RbacRule rule;
    rule.name = "service default/world deny #1";
    rule.action = policy::RbacAction::deny;
    rule.paths = std::move(paths);
    policy.ports[0].rules = {rule};
    policy.ports[0].protocol = policy::Protocol::http2;
    world_->set_inbound(policy);
  }
  SentRequest& opened(const codec::RequestHead& head) {
    SentRequest& sent = caller_.send(head, false);
    EXPECT_TRUE(network_.run_until([&] { return sent.head.status != 0 || !sent.outcome.empty(); }));
    EXPECT_EQ(sent.head.status, 200) << sent.outcome;
    return sent;
  }
  bool echoes(SentRequest& sent) {
    sent.body.clear();
    sent.exchange->send_body("ping");
    return network_.run_until([&] { return sent.body == "ping"; });
  }
  void expect_echo(const codec::RequestHead& head) {
    SentRequest& sent = opened(head);
    ASSERT_TRUE(echoes(sent));
    sent.exchange->send_end({});
    ASSERT_TRUE(over(sent));
    EXPECT_EQ(sent.outcome, "finished");
  }

  // Of a tunnel and a request that share a connection when `change` comes.
  void expect_only_the_request_to_finish(const std::function<void()>& change) {
    serve();
    SentRequest& tunnel = opened(websocket());
    application_.on_request = nullptr;
    const SentRequest& plain = caller_.send(http::request("GET", "/slow"), true);
    ASSERT_TRUE(network_.run_until([&] { return application_.requests.size() == 2; }));
    change();
    ASSERT_TRUE(over(tunnel));
    EXPECT_EQ(plain.outcome, "");
    application_.requests[1]->reply(200, "late");
    ASSERT_TRUE(over(plain));
    EXPECT_EQ(plain.body, "late");
    EXPECT_TRUE(network_.run_until([&] { return world_->connections() == 0; }));
  }

  Http2ServerSide application_{world_->loop()};
};

TEST_F(Http2TunnelTest, AWebSocketStaysAnExtendedConnectToAnApplicationOfHttp2) {
  serve();
  expect_echo(websocket());
  EXPECT_EQ(application_.requests.front()->head.protocol, "websocket");
  EXPECT_EQ(application_.requests.front()->head.target, "/chat");
  for (const SimPod* const each : {hello_.get(), world_.get()}) {
    ASSERT_EQ(each->telemetry.requests.size(), 1u);
    EXPECT_EQ(each->telemetry.requests[0].tries.size(), 1u) << "new connections are no reason to try again";
  }
}

TEST_F(Http2TunnelTest, APlainConnectIsATunnel) {
  serve();
  codec::RequestHead head = http::request("CONNECT", "db:5432");
  head.authority = "db:5432";
  expect_echo(head);
  EXPECT_EQ(application_.requests.front()->head.target, "db:5432");
}

TEST_F(Http2TunnelTest, AWebSocketOfHttp1ReachesAnApplicationOfHttp2AsAnExtendedConnect) {
  serve();
  const auto client = connected(*hello_, handshake);
  ASSERT_TRUE(network_.run_until([&] { return client->data.ends_with("\r\n\r\n"); }));
  EXPECT_TRUE(client->data.starts_with("HTTP/1.1 101 "));
  EXPECT_NE(client->data.find("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), std::string::npos)
      << client->data;
  const codec::RequestHead& seen = application_.requests.front()->head;
  EXPECT_EQ(seen.method, "CONNECT");
  EXPECT_EQ(seen.protocol, "websocket");
  EXPECT_EQ(seen.target, "/chat");
  client->data.clear();
  client->stream->write("ping");
  ASSERT_TRUE(network_.run_until([&] { return client->data == "ping"; }));
  client->stream->end();
  ASSERT_TRUE(network_.run_until([&] { return client->over(); }));
  EXPECT_TRUE(client->ends == 1) << "with an error";
  EXPECT_EQ(application_.requests.front()->outcome, "finished");
}

TEST_F(Http2TunnelTest, ATunnelThatEndsAsItBeginsEndsForACallerOfHttp1) {
  declare(policy::Protocol::http2);
  application_.on_request = [](ServedRequest& request) {
    request.exchange->send_head(http::response(200), true);
  };
  listen([this](std::unique_ptr<io::Stream> stream) { application_.take(std::move(stream)); });
  const auto client = connected(*hello_, handshake);
  ASSERT_TRUE(network_.run_until([&] { return client->ends == 1; }));
  EXPECT_TRUE(client->data.starts_with("HTTP/1.1 101 "));
  client->stream->end();
  EXPECT_TRUE(network_.run_until([&] { return hello_->connections() == 0; }));
}

// RFC 9113 § 8.1: the server may have said all, and want no more.
TEST_F(Http2TunnelTest, WhereTheApplicationIsDoneSoIsItsCallerOfHttp1) {
  declare(policy::Protocol::http2);
  application_.on_request = [](ServedRequest& request) {
    request.exchange->send_head(http::response(200), false);
    request.exchange->send_body("bye");
    request.exchange->send_end({});
    request.exchange->abandon_request();
  };
  listen([this](std::unique_ptr<io::Stream> stream) { application_.take(std::move(stream)); });
  const auto client = connected(*hello_, handshake);
  ASSERT_TRUE(network_.run_until([&] { return client->ends == 1; }));
  EXPECT_TRUE(client->data.ends_with("\r\n\r\nbye")) << client->data;
  // It may go on for a while, and then learns that nobody listens.
  for (int i = 0; i < 60 && client->failures == 0; ++i) {
    client->stream->write("is anybody there?");
    network_.advance(1s);
  }
  EXPECT_EQ(client->failures, 1);
  EXPECT_TRUE(network_.run_until([&] { return hello_->connections() == 0 && world_->connections() == 0; }));
}

// Such as a gRPC server: it is well, and another pod of it would say the same.
TEST_F(MeshWebSocketTest, AnApplicationOfHttp2ThatOffersNoTunnelIsNotToBlame) {
  const auto other = pod("198.18.0.3", "world");
  declare(policy::Protocol::http2);
  policy::InboundPolicy same = other->inbound_policy();
  same.ports[0].protocol = policy::Protocol::http2;
  other->set_inbound(same);
  hello_->know({service({world_->endpoint(app_port), other->endpoint(app_port)})});
  const auto first = serve_raw(*world_);
  const auto second = serve_raw(*other);
  const auto answer = [](RawServer& server) {
    for (const auto& each : server.served) {
      if (!each->data.starts_with("PRI")) continue;
      each->stream->write(no_settings);
      each->data.clear();
    }
  };
  for (int i = 0; i < 6; ++i) {
    const auto client = connected(*hello_, handshake);
    ASSERT_TRUE(network_.run_until([&] {
      answer(*first);
      answer(*second);
      return client->data.ends_with("(RFC 8441)\n");
    })) << client->data;
    EXPECT_TRUE(client->data.starts_with("HTTP/1.1 501 ")) << client->data;
    EXPECT_NE(client->data.find("x-weft-error: upgrade-refused"), std::string::npos) << client->data;
  }
  ASSERT_EQ(hello_->telemetry.requests.size(), 6u);
  for (const auto& request : hello_->telemetry.requests) EXPECT_EQ(request.tries.size(), 1u);
  EXPECT_EQ(hello_->telemetry.ejections, 0);
}

// RFC 9112 § 3.2 lets Host be empty; HTTP/2 has no form for that.
TEST_F(MeshWebSocketTest, AnEmptyHostIsTheCallersFault) {
  declare(policy::Protocol::http2);
  const auto raw = serve_raw(*world_);
  const auto client = connected(*hello_, "GET / HTTP/1.1\r\nHost:\r\n\r\n");
  ASSERT_TRUE(network_.run_until([&] { return !client->data.empty(); }));
  EXPECT_TRUE(client->data.starts_with("HTTP/1.1 400 ")) << client->data;
  EXPECT_TRUE(raw->served.empty());
}

// HTTP/2 lets a caller go on before the tunnel stands.
TEST_F(Http1WebSocketTest, WhatComesBeforeTheAnswerToAPlainConnectIsNotLost) {
  declare(policy::Protocol::http1);
  const auto raw = serve_raw(*world_);
  connect();
  codec::RequestHead head = http::request("CONNECT", "db:5432");
  head.authority = "db:5432";
  SentRequest& sent = caller_.send(head, false);
  sent.exchange->send_body("early");
  sent.exchange->send_end({});
  ASSERT_TRUE(network_.run_until([&] { return raw->got("\r\n\r\n"); }));
  network_.advance(100ms);
  raw->last().stream->write("HTTP/1.1 200 OK\r\n\r\n");
  ASSERT_TRUE(network_.run_until([&] { return raw->got("early") && raw->last().ends == 1; }));
  raw->last().stream->write("late");
  raw->last().stream->end();
  ASSERT_TRUE(over(sent));
  EXPECT_EQ(sent.body, "late");
  EXPECT_EQ(sent.outcome, "finished");
}

// An application might hold its answer back until nobody looks any more.
TEST_F(Http2TunnelTest, ATunnelThatIsNotAnsweredYetEndsWithItsPolicyToo) {
  declare(policy::Protocol::http2);
  listen([this](std::unique_ptr<io::Stream> stream) { application_.take(std::move(stream)); });
  const auto client = connected(*hello_, handshake);
  ASSERT_TRUE(network_.run_until([&] { return !application_.requests.empty(); }));
  refuse({"/chat"});
  ASSERT_TRUE(network_.run_until([&] { return client->over() || !client->data.empty(); }));
  EXPECT_FALSE(client->data.starts_with("HTTP/1.1 101 "));
  ASSERT_TRUE(network_.run_until([&] { return !application_.requests.front()->outcome.empty(); }));
  ASSERT_EQ(world_->telemetry.requests.size(), 1u);
  EXPECT_EQ(world_->telemetry.requests[0].reason, "policy-changed");
}

// Whoever vouched for the upstream no longer counts: an impostor's sidecar would not end it.
TEST_F(Http2TunnelTest, ATunnelEndsWithTheRootOfItsUpstream) {
  serve();
  const SentRequest& tunnel = opened(websocket());
  hello_->tell_root_removed();
  ASSERT_TRUE(over(tunnel));
  EXPECT_NE(tunnel.outcome, "finished");
  EXPECT_EQ(hello_->telemetry.requests.back().reason, "root-removed");
}

TEST_F(Http2TunnelTest, ATunnelEndsWithTheRootOfItsCallerAndARequestBesideItFinishes) {
  expect_only_the_request_to_finish([this] { world_->tell_root_removed(); });
}

// With all of the caller's HTTP refused the connection ends, but in order.
TEST_F(Http2TunnelTest, ARequestBesideATunnelFinishesWhenThePolicyRefusesBoth) {
  expect_only_the_request_to_finish([this] { refuse({}); });
  EXPECT_EQ(world_->telemetry.ended["policy-changed"], 1);
}

TEST_F(Http2TunnelTest, ATunnelEndsWithThePolicyThatLetItInAndNoOtherOfItsConnection) {
  serve();
  SentRequest& revoked = opened(websocket("/chat"));
  SentRequest& kept = opened(websocket("/news"));
  refuse({"/chat"});
  ASSERT_TRUE(over(revoked));
  EXPECT_NE(revoked.outcome, "finished");
  EXPECT_TRUE(echoes(kept));
  EXPECT_EQ(world_->connections(), 1u) << "they share one";
  ASSERT_EQ(world_->telemetry.requests.size(), 1u);
  EXPECT_EQ(world_->telemetry.requests[0].reason, "policy-changed");
  EXPECT_TRUE(world_->telemetry.ended.empty());
}

}  // namespace
}  // namespace weft::test
