// What travels towards an upstream: HTTP/1.1, one request a connection, or HTTP/2, many.
#include "sidecar/upstreams.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace weft::sidecar {
namespace {

using http::HttpProtocol;

const UpstreamTarget meshed{{}, "spiffe://cluster.local/ns/default/sa/world"};
const UpstreamTarget plain;

codec::RequestHead head(std::initializer_list<codec::Header> fields = {}) {
  codec::RequestHead made;
  made.method = "POST";
  made.target = "/";
  made.authority = "world";
  for (const codec::Header& field : fields) made.headers.add(field.name, field.value);
  return made;
}

RequestTraits bodyless(policy::Protocol declared = policy::Protocol::http1) {
  return {declared, true, false};
}

TEST(ProtocolTowards, RequestsWithoutABodyOrWithASmallOneShareConnectionsBetweenSidecars) {
  EXPECT_EQ(protocol_towards(meshed, head(), bodyless()), HttpProtocol::http2);
  EXPECT_EQ(protocol_towards(meshed, head(), bodyless(policy::Protocol::detect)), HttpProtocol::http2);
  const std::size_t most = limits::shared_body_bytes_max;
  EXPECT_EQ(protocol_towards(meshed, head({{"Content-Length", std::to_string(most)}}), {}),
            HttpProtocol::http2);
  EXPECT_EQ(protocol_towards(meshed, head({{"Content-Length", std::to_string(most + 1)}}), {}),
            HttpProtocol::http1);
  EXPECT_EQ(protocol_towards(meshed, head({{"Content-Length", "18446744073709551616"}}), {}),
            HttpProtocol::http1);
  EXPECT_EQ(protocol_towards(meshed, head(), {}), HttpProtocol::http1) << "nobody knows how much will come";
}

TEST(ProtocolTowards, WhatTakesItsConnectionOverOrWouldLoseSomethingStaysHttp1) {
  codec::RequestHead upgrade = head({{"Upgrade", "websocket"}});
  EXPECT_EQ(protocol_towards(meshed, upgrade, bodyless()), HttpProtocol::http1);
  codec::RequestHead tunnel = head();
  tunnel.method = "CONNECT";
  EXPECT_EQ(protocol_towards(meshed, tunnel, bodyless()), HttpProtocol::http1);
  codec::RequestHead old = head();
  old.version = codec::Version::http10;
  EXPECT_EQ(protocol_towards(meshed, old, bodyless()), HttpProtocol::http2);
  old.authority.clear();
  EXPECT_EQ(protocol_towards(meshed, old, bodyless()), HttpProtocol::http1);
  const codec::RequestHead grpc_web =
      head({{"content-type", "application/grpc-web+proto"}, {"content-length", "5"}});
  EXPECT_EQ(protocol_towards(meshed, grpc_web, {}), HttpProtocol::http1);
  EXPECT_EQ(protocol_towards(meshed, head(), {policy::Protocol::http1, true, true}), HttpProtocol::http1)
      << "weft.mesh/preserve-case";
}

TEST(ProtocolTowards, WhatCameAsHttp2StaysSoBetweenSidecars) {
  codec::RequestHead came = head();
  came.version = codec::Version::http2;
  for (const bool preserve_case : {false, true})
    EXPECT_EQ(protocol_towards(meshed, came, {policy::Protocol::http1, false, preserve_case}),
              HttpProtocol::http2);
}

TEST(ProtocolTowards, AnApplicationIsSpokenToAsItsPortDeclaresOrAsTheCallerSpoke) {
  codec::RequestHead came = head();
  EXPECT_EQ(protocol_towards(plain, came, bodyless(policy::Protocol::http2)), HttpProtocol::http2);
  EXPECT_EQ(protocol_towards(plain, came, bodyless(policy::Protocol::detect)), HttpProtocol::http1);
  codec::RequestHead upgrade = head({{"Upgrade", "websocket"}, {"Sec-WebSocket-Key", "x"}});
  EXPECT_EQ(protocol_towards(plain, upgrade, bodyless(policy::Protocol::http2)), HttpProtocol::http1)
      << "a POST";
  upgrade.method = "GET";
  EXPECT_EQ(protocol_towards(plain, upgrade, bodyless(policy::Protocol::http2)), HttpProtocol::http2);
  EXPECT_EQ(protocol_towards(plain, upgrade, bodyless(policy::Protocol::http1)), HttpProtocol::http1);
  EXPECT_EQ(protocol_towards(plain, upgrade, bodyless(policy::Protocol::detect)), HttpProtocol::http1);
  EXPECT_EQ(protocol_towards(meshed, upgrade, bodyless(policy::Protocol::http2)), HttpProtocol::http1);
  came.version = codec::Version::http2;
  EXPECT_EQ(protocol_towards(plain, came, bodyless(policy::Protocol::http1)), HttpProtocol::http1);
  EXPECT_EQ(protocol_towards(plain, came, bodyless(policy::Protocol::detect)), HttpProtocol::http2);
  came.headers.add("content-type", "application/grpc");
  EXPECT_EQ(protocol_towards(plain, came, bodyless(policy::Protocol::http1)), HttpProtocol::http2);
}

TEST(SayHowItCame, ToASidecarAndOnlyWhereTheProtocolChanges) {
  codec::RequestHead came = head({{"x-weft-came-as", "HTTP/1"}});
  say_how_it_came(came, plain, HttpProtocol::http2);
  EXPECT_FALSE(came.headers.has(came_as_header));
  say_how_it_came(came, meshed, HttpProtocol::http2);
  EXPECT_EQ(came.headers.get(came_as_header), came_as_http1);
  // Another try, over HTTP/1.
  say_how_it_came(came, meshed, HttpProtocol::http1);
  EXPECT_FALSE(came.headers.has(came_as_header));
  came.version = codec::Version::http2;
  say_how_it_came(came, meshed, HttpProtocol::http2);
  EXPECT_FALSE(came.headers.has(came_as_header));
}

}  // namespace
}  // namespace weft::sidecar
