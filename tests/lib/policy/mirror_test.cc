#include "policy/mirror.h"

#include <memory>

#include <gtest/gtest.h>

#include "policy/route.h"

namespace weft::policy {
namespace {

codec::RequestHead get() {
  codec::RequestHead head;
  head.method = "GET";
  head.target = "/";
  head.authority = "world:80";
  return head;
}

TEST(Mirror, CopiesItsShareOfRequests) {
  SeededRandom random(11);
  int copied = 0;
  for (int i = 0; i < 10'000; ++i) {
    copied += is_mirrored({"v2", 10}, get(), random) ? 1 : 0;
    EXPECT_TRUE(is_mirrored({"v2", 100}, get(), random));
    EXPECT_FALSE(is_mirrored({"v2", 0}, get(), random));
    EXPECT_FALSE(is_mirrored({}, get(), random));
  }
  EXPECT_NEAR(copied, 1000, 78) << "the 99 % interval";
}

TEST(Mirror, NeverCopiesWhatAsksForATunnel) {
  SeededRandom random(1);
  codec::RequestHead connect = get();
  connect.method = "CONNECT";
  EXPECT_FALSE(is_mirrored({"v2", 100}, connect, random));
  codec::RequestHead upgrade = get();
  upgrade.headers.add("Upgrade", "websocket");
  EXPECT_FALSE(is_mirrored({"v2", 100}, upgrade, random));
}

TEST(Mirror, TheCopySaysInItsAuthorityWhatItIs) {
  struct Case {
    const char* authority;
    const char* shadow;
  };
  const Case cases[] = {
      {"world", "world-shadow"},
      {"world:80", "world-shadow:80"},
      {"world.default.svc.cluster.local:8080", "world.default.svc.cluster.local-shadow:8080"},
      {"198.18.0.1:80", "198.18.0.1-shadow:80"},
      {"[2001:2::1]:80", "[2001:2::1]:80"},
      {"", ""}};
  for (const Case& c : cases) EXPECT_EQ(shadow_authority(c.authority), c.shadow);
}

TEST(Mirror, TheCopyIsTheRequestButForItsAuthorityAndExpectations) {
  codec::RequestHead head = get();
  head.headers.add("X-User", "john");
  head.headers.add("Expect", "100-continue");
  head.headers.add("Content-Length", "3");
  const codec::RequestHead copy = shadow_head(head);
  EXPECT_EQ(copy.method, "GET");
  EXPECT_EQ(copy.target, "/");
  EXPECT_EQ(copy.authority, "world-shadow:80");
  EXPECT_EQ(copy.headers.fields(), (std::vector<codec::Header>{{"X-User", "john"}, {"Content-Length", "3"}}));
}

TEST(Mirror, GoesToTheEndpointsOfItsSubsetAndChangesNoOtherChoice) {
  EndpointRegistry registry;
  Service service;
  for (const char* address : {"198.18.1.1:80", "198.18.1.2:80", "198.18.1.3:80"}) {
    Endpoint endpoint;
    endpoint.address = *Address::parse(address);
    endpoint.subset = endpoint.address.ip.to_string().ends_with("1") ? "v1" : "v2";
    service.endpoints.push_back(endpoint);
  }
  service.canary = {{"v1", 1}};
  service.mirror = {"v2", 10};
  const RouteTable table(std::make_shared<const Service>(service), registry);
  SeededRandom random(5);
  EXPECT_EQ(table.mirror().candidates().size(), 2u);
  EXPECT_EQ(table.mirror().subset, "v2");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(table.choose(nullptr, {}, random).subset, "v1");

  service.mirror = {"v3", 10};
  const RouteTable nowhere(std::make_shared<const Service>(service), registry);
  EXPECT_TRUE(nowhere.mirror().candidates().empty());
  service.mirror = {};
  const RouteTable none(std::make_shared<const Service>(service), registry);
  EXPECT_TRUE(none.mirror().candidates().empty());
}

}  // namespace
}  // namespace weft::policy
