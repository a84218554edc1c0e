#include "cli/local/addresses.h"

#include <gtest/gtest.h>

namespace weft::local {
namespace {

TEST(Addresses, EveryAddressIsInsideItsRange) {
  const Cidr pods_v4 = *Cidr::parse(pod_range_v4), pods_v6 = *Cidr::parse(pod_range_v6);
  const Cidr services_v4 = *Cidr::parse(service_range_v4), services_v6 = *Cidr::parse(service_range_v6);
  for (const std::uint32_t index : {1u, 2u, 255u, 256u, 12345u, address_index_max}) {
    EXPECT_TRUE(pods_v4.contains(pod_addresses(index).v4)) << index;
    EXPECT_TRUE(pods_v6.contains(pod_addresses(index).v6)) << index;
    EXPECT_TRUE(services_v4.contains(service_addresses(index).v4)) << index;
    EXPECT_TRUE(services_v6.contains(service_addresses(index).v6)) << index;
  }
}

TEST(Addresses, RangesNeverLeaveTheBenchmarkBlocksAndDoNotOverlap) {
  const Cidr all_v4 = *Cidr::parse("198.18.0.0/15"), all_v6 = *Cidr::parse("2001:2::/48");
  for (const std::string_view range : {pod_range_v4, service_range_v4, outside_range_v4}) {
    EXPECT_TRUE(all_v4.contains(Cidr::parse(range)->ip)) << range;
  }
  for (const std::string_view range : {pod_range_v6, service_range_v6, outside_range_v6}) {
    EXPECT_TRUE(all_v6.contains(Cidr::parse(range)->ip)) << range;
  }
  EXPECT_FALSE(Cidr::parse(pod_range_v4)->contains(service_addresses(1).v4));
  EXPECT_FALSE(Cidr::parse(outside_range_v4)->contains(service_addresses(1).v4));
}

TEST(Addresses, ReadAsDocumented) {
  EXPECT_EQ(node_addresses().v4.to_string(), "198.18.0.1");
  EXPECT_EQ(node_addresses().v6.to_string(), "2001:2:0:1::1");
  EXPECT_EQ(dns_addresses().v4.to_string(), "198.18.128.10");
  EXPECT_EQ(pod_addresses(258).v4.to_string(), "198.18.1.2");
  EXPECT_EQ(pod_addresses(258).v6.to_string(), "2001:2:0:1::102");
}

TEST(IndexPool, GivesBackAnAddressOnlyAfterAllOthersWereUsed) {
  IndexPool pool(2, 5);
  EXPECT_EQ(*pool.take(), 2u);
  EXPECT_EQ(*pool.take(), 3u);
  pool.give_back(2);
  EXPECT_EQ(*pool.take(), 4u);
  EXPECT_EQ(*pool.take(), 5u);
  EXPECT_EQ(*pool.take(), 2u);
}

TEST(IndexPool, FailsWhenAllAreTaken) {
  IndexPool pool(1, 2);
  EXPECT_TRUE(pool.take());
  EXPECT_TRUE(pool.take());
  const auto third = pool.take();
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::limit);
}

TEST(IndexPool, ACertainIndexIsGivenOnceAndSkippedAfterwards) {
  IndexPool pool(1, 3);
  EXPECT_TRUE(pool.take(2));
  EXPECT_EQ(pool.take(2).error().code, Code::exists);
  EXPECT_EQ(pool.take(4).error().code, Code::invalid);
  EXPECT_EQ(*pool.take(), 1u);
  EXPECT_EQ(*pool.take(), 3u);
}

TEST(ServiceIndex, IsFoundForBothFamiliesAndRefusedOutside) {
  EXPECT_EQ(*service_index_of(service_addresses(300).v4), 300u);
  EXPECT_EQ(*service_index_of(service_addresses(300).v6), 300u);
  for (const char* outside : {"10.0.0.1", "198.18.0.5", "198.19.128.5", "2001:2:0:1::5", "198.18.128.0"}) {
    const auto index = service_index_of(*IpAddress::parse(outside));
    ASSERT_FALSE(index) << outside;
    EXPECT_NE(index.error().message.find(outside), std::string::npos);
  }
}

}  // namespace
}  // namespace weft::local
