#include "injector/settings.h"

#include <gtest/gtest.h>

namespace weft::injector {
namespace {

TEST(InjectorSettings, APortMeansBothFamiliesAndIpv6MayBeMissing) {
  const auto addresses = parse_listen("15017");
  ASSERT_TRUE(addresses);
  ASSERT_EQ(addresses->size(), 2u);
  EXPECT_EQ((*addresses)[0].address.to_string(), "0.0.0.0:15017");
  EXPECT_FALSE((*addresses)[0].optional);
  EXPECT_EQ((*addresses)[1].address.to_string(), "[::]:15017");
  EXPECT_TRUE((*addresses)[1].optional);
}

TEST(InjectorSettings, AnAddressIsTheOnlyOne) {
  const auto addresses = parse_listen("[2001:2::1]:15017");
  ASSERT_TRUE(addresses);
  ASSERT_EQ(addresses->size(), 1u);
  EXPECT_EQ((*addresses)[0].address.to_string(), "[2001:2::1]:15017");
  EXPECT_FALSE((*addresses)[0].optional);
  for (const std::string wrong : {"", "x", "70000", "198.18.0.1", "localhost:1"}) {
    EXPECT_FALSE(parse_listen(wrong)) << wrong;
  }
}

TEST(InjectorSettings, ControlPlaneIsLookedForInItsOwnNamespace) {
  InjectorConfig config;
  config.control_plane_namespace = "mesh";
  config.discovery_address = "198.18.0.9:15011";
  fill_addresses(config);
  EXPECT_EQ(config.ca_address, "weft-ca.mesh.svc:15012");
  EXPECT_EQ(config.discovery_address, "198.18.0.9:15011");
}

}  // namespace
}  // namespace weft::injector
