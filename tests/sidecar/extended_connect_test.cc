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

TEST(ExtendedConnect, OfAWebSocketBecomesAnUpgradeWithAKeyOfItsOwn) {
  SeededRandom random(1);
  const codec::RequestHead head = upgrade_request(connect("websocket"), random);
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/chat?room=1");
  EXPECT_EQ(head.authority, "world");
  EXPECT_EQ(head.protocol, "");
  EXPECT_EQ(head.headers.get("upgrade"), "websocket");
  EXPECT_EQ(head.headers.get("sec-websocket-version"), "13");
  const auto key = base64_decode(head.headers.get("sec-websocket-key").value_or(""));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->size(), 16u);
  EXPECT_NE(upgrade_request(connect("websocket"), random).headers.get("sec-websocket-key"),
            head.headers.get("sec-websocket-key"));
}

TEST(ExtendedConnect, OfAnotherProtocolHasNoKey) {
  SeededRandom random(1);
  const codec::RequestHead head = upgrade_request(connect("connect-udp"), random);
  EXPECT_EQ(head.headers.get("upgrade"), "connect-udp");
  EXPECT_FALSE(head.headers.has("sec-websocket-key"));
}

TEST(ExtendedConnect, SwitchingProtocolsIsSuccess) {
  codec::ResponseHead head;
  head.status = 101;
  head.headers.add("Upgrade", "websocket");
  head.headers.add("Sec-WebSocket-Accept", "x");
  head.headers.add("Sec-WebSocket-Protocol", "chat");
  EXPECT_FALSE(answer_connect(head));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.size(), 1u);
  EXPECT_EQ(head.headers.get("sec-websocket-protocol"), "chat");
}

TEST(ExtendedConnect, ARefusalIsPassedOnAndSuccessWithoutASwitchIsNone) {
  for (const int status : {302, 403, 426, 503}) {
    codec::ResponseHead head;
    head.status = status;
    EXPECT_FALSE(answer_connect(head)) << status;
    EXPECT_EQ(head.status, status);
  }
  for (const int status : {200, 204}) {
    codec::ResponseHead head;
    head.status = status;
    const auto reply = answer_connect(head);
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
