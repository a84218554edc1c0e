#include "sidecar/extended_connect.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace weft::sidecar {
namespace {

// RFC 6455 § 1.3
constexpr const char* sample_key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr const char* sample_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

codec::RequestHead connect(std::string protocol) {
  codec::RequestHead head;
  head.method = "CONNECT";
  head.target = "/chat?room=1";
  head.authority = "world";
  head.protocol = std::move(protocol);
  head.version = codec::Version::http2;
  head.headers.add("sec-websocket-version", "13");
  head.headers.add("origin", "http://here");
  return head;
}

// Whose key is `sample_key`.
class FixedRandom final : public Random {
 public:
  std::uint64_t next() override {
    const std::string bytes = first_ ? "the samp" : "le nonce";
    first_ = !first_;
    std::uint64_t word = 0;
    for (int i = 7; i >= 0; --i)
      word = word << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
    return word;
  }

 private:
  bool first_ = true;
};

std::unique_ptr<TunnelBridge> upgrade(const char* protocol, Random& random) {
  return bridge_towards(http::HttpProtocol::http1, connect(protocol), random);
}

TEST(ExtendedConnect, OfAWebSocketBecomesAnUpgradeWithAKeyOfItsOwn) {
  SeededRandom random(1);
  const codec::RequestHead head = upgrade("websocket", random)->request(connect("websocket"));
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/chat?room=1");
  EXPECT_EQ(head.authority, "world");
  EXPECT_EQ(head.protocol, "");
  EXPECT_EQ(head.headers.get("upgrade"), "websocket");
  EXPECT_EQ(head.headers.get("sec-websocket-version"), "13");
  const auto key = base64_decode(head.headers.get("sec-websocket-key").value_or(""));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->size(), 16u);
  EXPECT_NE(upgrade("websocket", random)->request(connect("websocket")).headers.get("sec-websocket-key"),
            head.headers.get("sec-websocket-key"));
}

TEST(ExtendedConnect, OfAnotherProtocolHasNoKey) {
  SeededRandom random(1);
  const codec::RequestHead head = upgrade("connect-udp", random)->request(connect("connect-udp"));
  EXPECT_EQ(head.headers.get("upgrade"), "connect-udp");
  EXPECT_FALSE(head.headers.has("sec-websocket-key"));
}

TEST(ExtendedConnect, SwitchingProtocolsIsSuccess) {
  FixedRandom random;
  const auto bridge = upgrade("websocket", random);
  ASSERT_EQ(bridge->request(connect("websocket")).headers.get("sec-websocket-key"), sample_key);
  codec::ResponseHead head;
  head.status = 101;
  head.headers.add("Upgrade", "websocket");
  head.headers.add("Sec-WebSocket-Accept", sample_accept);
  head.headers.add("Sec-WebSocket-Protocol", "chat");
  EXPECT_FALSE(bridge->answer(head));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.size(), 1u);
  EXPECT_EQ(head.headers.get("sec-websocket-protocol"), "chat");
}

TEST(ExtendedConnect, AWebSocketWhoseKeyNobodyReadIsNone) {
  FixedRandom random;
  for (const char* const accept : {"", sample_key, "s3pplmbiTxaQ9kYGzzhZRbK+xOo="}) {
    codec::ResponseHead head;
    head.status = 101;
    head.headers.add("Upgrade", "websocket");
    head.headers.add("Sec-WebSocket-Accept", accept);
    const auto reply = upgrade("WebSocket", random)->answer(head);
    ASSERT_TRUE(reply) << accept;
    EXPECT_EQ(reply->status, 502);
    EXPECT_EQ(reply->reason, "upgrade-refused");
  }
  codec::ResponseHead other;
  other.status = 101;
  other.headers.add("Upgrade", "something");
  other.headers.add("Sec-WebSocket-Accept", sample_accept);
  EXPECT_TRUE(upgrade("websocket", random)->answer(other));
  codec::ResponseHead head;
  head.status = 101;
  EXPECT_FALSE(upgrade("connect-udp", random)->answer(head)) << "which has no key";
}

TEST(ExtendedConnect, ARefusalIsPassedOnAndSuccessWithoutASwitchIsNone) {
  FixedRandom random;
  const auto bridge = upgrade("websocket", random);
  for (const int status : {302, 403, 426, 503}) {
    codec::ResponseHead head;
    head.status = status;
    EXPECT_FALSE(bridge->answer(head)) << status;
    EXPECT_EQ(head.status, status);
  }
  for (const int status : {200, 204}) {
    codec::ResponseHead head;
    head.status = status;
    const auto reply = bridge->answer(head);
    ASSERT_TRUE(reply) << status;
    EXPECT_EQ(reply->status, 502);
    EXPECT_EQ(reply->reason, "upgrade-refused");
  }
}

codec::RequestHead handshake() {
  codec::RequestHead head;
  head.method = "GET";
  head.target = "/chat?room=1";
  head.authority = "world";
  head.headers.add("Upgrade", "WebSocket");
  head.headers.add("Sec-WebSocket-Key", sample_key);
  head.headers.add("Sec-WebSocket-Version", "13");
  head.headers.add("Sec-WebSocket-Protocol", "chat");
  head.headers.add("Content-Length", "0");
  return head;
}

TEST(ExtendedConnect, IsWhatAWebSocketOfHttp1BecomesTowardsHttp2) {
  SeededRandom random(1);
  const auto bridge = bridge_towards(http::HttpProtocol::http2, handshake(), random);
  ASSERT_NE(bridge, nullptr);
  const codec::RequestHead head = bridge->request(handshake());
  EXPECT_EQ(head.method, "CONNECT");
  EXPECT_EQ(head.protocol, "websocket");
  EXPECT_EQ(head.target, "/chat?room=1");
  EXPECT_EQ(head.authority, "world");
  EXPECT_FALSE(head.headers.has("upgrade") || head.headers.has("sec-websocket-key"));
  EXPECT_FALSE(head.headers.has("content-length")) << "a tunnel carries more than nothing";
  EXPECT_EQ(head.headers.get("sec-websocket-version"), "13");
  codec::ResponseHead answer;
  answer.status = 200;
  answer.headers.add("sec-websocket-protocol", "chat");
  EXPECT_FALSE(bridge->answer(answer));
  EXPECT_EQ(answer.status, 101);
  EXPECT_EQ(answer.headers.get("upgrade"), "websocket");
  EXPECT_EQ(answer.headers.get("sec-websocket-accept"), sample_accept);
  EXPECT_EQ(answer.headers.get("sec-websocket-protocol"), "chat");
  codec::ResponseHead refused;
  refused.status = 404;
  EXPECT_FALSE(bridge->answer(refused));
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(refused.headers.size(), 0u);
}

TEST(ExtendedConnect, IsNeededByNothingElse) {
  SeededRandom random(1);
  EXPECT_EQ(bridge_towards(http::HttpProtocol::http1, handshake(), random), nullptr);
  EXPECT_EQ(bridge_towards(http::HttpProtocol::http2, connect("websocket"), random), nullptr);
  EXPECT_EQ(bridge_towards(http::HttpProtocol::http1, connect(""), random), nullptr) << "a plain CONNECT";
}

TEST(ExtendedConnect, StandsForNoHalfOfAWebSocket) {
  EXPECT_TRUE(asks_for_websocket(handshake()));
  codec::RequestHead head = handshake();
  head.method = "POST";
  EXPECT_FALSE(asks_for_websocket(head));
  for (const char* const other : {"h2c", "websocket, foo", "websocket/13", ""}) {
    head = handshake();
    head.headers.set("upgrade", other);
    EXPECT_FALSE(asks_for_websocket(head)) << other;
  }
  head = handshake();
  head.headers.add("Upgrade", "foo");
  EXPECT_FALSE(asks_for_websocket(head));
  head = handshake();
  head.headers.remove("sec-websocket-key");
  EXPECT_FALSE(asks_for_websocket(head)) << "nothing to answer to";
  head.headers.add("sec-websocket-key", "a");
  head.headers.add("sec-websocket-key", "b");
  EXPECT_FALSE(asks_for_websocket(head)) << "which of them?";
}

TEST(ExtendedConnect, IsAGetToRules) {
  EXPECT_EQ(governed_method(connect("websocket")), "GET");
  EXPECT_EQ(governed_method(connect("")), "CONNECT") << "a plain one";
}

}  // namespace
}  // namespace weft::sidecar
