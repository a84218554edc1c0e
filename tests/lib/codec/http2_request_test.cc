#include "codec/http2_request.h"

#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"

namespace weft::codec {
namespace {

struct Case {
  const char* method;
  const char* path;
  const char* authority;
  std::vector<Header> headers;
  const char* wanted;  // "authority target", or the error
};

TEST(Http2Request, IsBroughtIntoTheFormOfHttp1OrRefused) {
  const Case cases[] = {
      {"GET", "/x?y", "h:80", {}, "h:80 /x?y"},
      {"GET", "/", "", {{"host", "h"}}, "h /"},
      {"GET", "/", "H", {{"host", "h"}}, "H /"},
      {"GET", "/", "h", {{"host", "h:80"}}, "h /"},
      {"GET", "/", "[2001:2::1]:80", {{"host", "[2001:2::1]"}}, "[2001:2::1]:80 /"},
      {"GET", "/", "h", {{"host", "h:443"}}, "Host is not :authority"},
      {"OPTIONS", "*", "h", {}, "h *"},
      {"CONNECT", "", "h:1", {}, "h:1 h:1"},
      {"GET", "/", "h", {{"host", "g"}}, "Host is not :authority"},
      {"GET", "/", "", {{"host", "g"}, {"host", "g"}}, "more than one Host field"},
      {"GET", "/", "user@h", {}, "malformed :authority"},
      {"GET", "/", "h/x", {}, "malformed :authority"},
      {"GET", "/a b", "h", {}, "malformed :path"},
      {"GET", "/a#b", "h", {}, "malformed :path"},
      {"GET", "*", "h", {}, "malformed :path"},
      {"GET", "", "h", {}, "malformed :path"},
      {"GET", "http://g/x", "h", {}, "malformed :path"},
      {"G T", "/", "h", {}, "malformed method"},
      {"CONNECT", "", "h", {}, "CONNECT wants host:port"},
  };
  for (const Case& each : cases) {
    RequestHead head;
    head.method = each.method;
    head.target = each.path;
    head.authority = each.authority;
    for (const Header& header : each.headers) head.headers.add(header.name, header.value);
    const Status normal = normalise_http2_request(head);
    EXPECT_EQ(normal ? str_cat(head.authority, " ", head.target) : normal.error().message, each.wanted)
        << each.method << " " << each.path << " " << each.authority;
    if (normal) {
      EXPECT_FALSE(head.headers.has("host"));
    }
  }
}

TEST(Http2Request, OfAnExtendedConnectKeepsItsPath) {
  RequestHead head;
  head.method = "CONNECT";
  head.protocol = "websocket";
  head.target = "/chat";
  head.authority = "h";
  EXPECT_TRUE(normalise_http2_request(head));
  EXPECT_EQ(head.target, "/chat");
}

// Behind h2c no rule sees a request any more.
TEST(Http2Request, OfAnExtendedConnectNamesOneProtocolThatMayBeAskedFor) {
  for (const char* protocol : {"websocket", "WebSocket", "connect-udp"}) {
    RequestHead head;
    head.method = "CONNECT";
    head.target = "/chat";
    head.authority = "h";
    head.protocol = protocol;
    EXPECT_TRUE(normalise_http2_request(head)) << protocol;
  }
  for (const char* protocol :
       {"h2c", "H2C", "websocket, h2c", "web socket", "websocket;a=b", "websocket/13"}) {
    RequestHead head;
    head.method = "CONNECT";
    head.target = "/chat";
    head.authority = "h";
    head.protocol = protocol;
    EXPECT_FALSE(normalise_http2_request(head)) << protocol;
  }
}

TEST(Http2Request, CookiesAreOneFieldAgain) {
  RequestHead head;
  head.method = "GET";
  head.target = "/";
  head.authority = "h";
  for (const char* cookie : {"a=1", "b=2", "c=3"}) head.headers.add("cookie", cookie);
  ASSERT_TRUE(normalise_http2_request(head));
  EXPECT_EQ(head.headers.count("cookie"), 1u);
  EXPECT_EQ(head.headers.get("cookie"), "a=1; b=2; c=3");
}

}  // namespace
}  // namespace weft::codec
