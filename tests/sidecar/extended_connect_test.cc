#include "sidecar/extended_connect.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace weft::sidecar {
namespace {

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

// Whose key is that of RFC 6455 § 1.3.
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

TEST(ExtendedConnect, OfAWebSocketBecomesAnUpgradeWithAKeyOfItsOwn) {
  SeededRandom random(1);
  const codec::RequestHead head = UpgradeBridge("websocket", random).request(connect("websocket"));
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/chat?room=1");
  EXPECT_EQ(head.authority, "world");
  EXPECT_EQ(head.protocol, "");
  EXPECT_EQ(head.headers.get("upgrade"), "websocket");
  EXPECT_EQ(head.headers.get("sec-websocket-version"), "13");
  const auto key = base64_decode(head.headers.get("sec-websocket-key").value_or(""));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->size(), 16u);
  EXPECT_NE(UpgradeBridge("websocket", random).request(connect("websocket")).headers.get("sec-websocket-key"),
            head.headers.get("sec-websocket-key"));
}

TEST(ExtendedConnect, OfAnotherProtocolHasNoKey) {
  SeededRandom random(1);
  const codec::RequestHead head = UpgradeBridge("connect-udp", random).request(connect("connect-udp"));
  EXPECT_EQ(head.headers.get("upgrade"), "connect-udp");
  EXPECT_FALSE(head.headers.has("sec-websocket-key"));
}

TEST(ExtendedConnect, SwitchingProtocolsIsSuccess) {
  FixedRandom random;
  const UpgradeBridge bridge("websocket", random);
  ASSERT_EQ(bridge.request(connect("websocket")).headers.get("sec-websocket-key"),
            "dGhlIHNhbXBsZSBub25jZQ==");
  codec::ResponseHead head;
  head.status = 101;
  head.headers.add("Upgrade", "websocket");
  head.headers.add("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  head.headers.add("Sec-WebSocket-Protocol", "chat");
  EXPECT_FALSE(bridge.answer(head));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.size(), 1u);
  EXPECT_EQ(head.headers.get("sec-websocket-protocol"), "chat");
}

TEST(ExtendedConnect, AWebSocketWhoseKeyNobodyReadIsNone) {
  FixedRandom random;
  for (const char* const accept : {"", "dGhlIHNhbXBsZSBub25jZQ==", "s3pplmbiTxaQ9kYGzzhZRbK+xOo="}) {
    codec::ResponseHead head;
    head.status = 101;
    head.headers.add("Upgrade", "websocket");
    head.headers.add("Sec-WebSocket-Accept", accept);
    const auto reply = UpgradeBridge("WebSocket", random).answer(head);
    ASSERT_TRUE(reply) << accept;
    EXPECT_EQ(reply->status, 502);
    EXPECT_EQ(reply->reason, "upgrade-refused");
  }
  codec::ResponseHead other;
  other.status = 101;
  other.headers.add("Upgrade", "something");
  other.headers.add("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_TRUE(UpgradeBridge("websocket", random).answer(other));
  codec::ResponseHead head;
  head.status = 101;
  EXPECT_FALSE(UpgradeBridge("connect-udp", random).answer(head)) << "which has no key";
}

TEST(ExtendedConnect, ARefusalIsPassedOnAndSuccessWithoutASwitchIsNone) {
  FixedRandom random;
  const UpgradeBridge bridge("websocket", random);
  for (const int status : {302, 403, 426, 503}) {
    codec::ResponseHead head;
    head.status = status;
    EXPECT_FALSE(bridge.answer(head)) << status;
    EXPECT_EQ(head.status, status);
  }
  for (const int status : {200, 204}) {
    codec::ResponseHead head;
    head.status = status;
    const auto reply = bridge.answer(head);
    ASSERT_TRUE(reply) << status;
    EXPECT_EQ(reply->status, 502);
    EXPECT_EQ(reply->reason, "upgrade-refused");
  }
}

TEST(ExtendedConnect, IsAGetToRules) {
  EXPECT_EQ(governed_method(connect("websocket")), "GET");
  EXPECT_EQ(governed_method(connect("")), "CONNECT") << "a plain one";
}

}  // namespace
}  // namespace weft::sidecar
