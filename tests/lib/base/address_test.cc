#include "base/address.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(IpAddress, ParsesAndPrintsBothFamilies) {
  EXPECT_EQ(IpAddress::parse("198.18.0.1")->to_string(), "198.18.0.1");
  EXPECT_EQ(IpAddress::parse("2001:2:0:0::1")->to_string(), "2001:2::1");
}

TEST(IpAddress, TreatsAMappedAddressAsIpv4) {
  EXPECT_EQ(*IpAddress::parse("::ffff:198.18.0.1"), *IpAddress::parse("198.18.0.1"));
}

TEST(IpAddress, RefusesWhatIsNotAnAddress) {
  for (const char* text :
       {"", "198.18.0", "198.18.0.256", "2001:2::g", "[2001:2::1]", "fe80::1%eth0", "name"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(Address, SurvivesTheWayThroughASockaddr) {
  for (const char* text : {"198.18.0.1:80", "[2001:2::1]:65535"}) {
    const Address address = *Address::parse(text);
    sockaddr_storage storage;
    address.to_sockaddr(storage);
    EXPECT_EQ(*Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage)), address);
    EXPECT_EQ(address.to_string(), text);
  }
}

TEST(Address, RefusesAMissingOrBadPort) {
  for (const char* text :
       {"198.18.0.1", "198.18.0.1:", "198.18.0.1:65536", "198.18.0.1:+1", "2001:2::1:80", "[::1:80"}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
}

TEST(Cidr, ContainsExactlyItsBlock) {
  const Cidr block = *Cidr::parse("198.18.0.0/15");
  EXPECT_TRUE(block.contains(*IpAddress::parse("198.19.255.255")));
  EXPECT_FALSE(block.contains(*IpAddress::parse("198.20.0.0")));
  EXPECT_FALSE(block.contains(*IpAddress::parse("::c612:1")));
  EXPECT_TRUE(Cidr::parse("2001:2::/48")->contains(*IpAddress::parse("2001:2:0:ffff::1")));
  EXPECT_TRUE(Cidr::parse("0.0.0.0/0")->contains(*IpAddress::parse("255.1.2.3")));
  EXPECT_FALSE(Cidr::parse("198.18.0.0/33"));
}

}  // namespace
}  // namespace weft
