#include "cli/local/dns.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace weft::local {
namespace {

constexpr std::size_t room = 1232;

std::string query(std::string_view name, std::uint16_t type, std::string_view header = {}) {
  std::string out = header.empty() ? std::string("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12)
                                   : std::string(header);
  for (const std::string_view label : split(name, '.')) {
    out.push_back(static_cast<char>(label.size()));
    out.append(label);
  }
  out.append({'\0', static_cast<char>(type >> 8), static_cast<char>(type), '\0', '\x01'});
  return out;
}

int rcode(const std::string& answer) { return answer.at(3) & 0x0f; }
int answers(const std::string& answer) {
  return static_cast<unsigned char>(answer.at(6)) << 8 | static_cast<unsigned char>(answer.at(7));
}
bool truncated(const std::string& answer) { return (answer.at(2) & 0x02) != 0; }

DnsZone zone() {
  DnsZone zone;
  zone.names["hello.default.svc.cluster.local"].addresses = {*IpAddress::parse("198.18.128.20")};
  zone.names["dual.default.svc.cluster.local"].addresses = {*IpAddress::parse("198.18.128.21"),
                                                            *IpAddress::parse("2001:2:0:2::15")};
  zone.names["ext.default.svc.cluster.local"].alias = "hello.default.svc.cluster.local";
  zone.names["away.default.svc.cluster.local"].alias = "www.example.com";
  zone.names["loop.default.svc.cluster.local"].alias = "loop.default.svc.cluster.local";
  return zone;
}

TEST(Dns, AnswersAWithTheServicesAddressAndTheQuestion) {
  const std::string asked = query("hello.default.svc.cluster.local", dns_type_a);
  const std::string answer = answer_dns(zone(), asked, room);
  EXPECT_EQ(answer.substr(0, 2), asked.substr(0, 2));
  EXPECT_EQ(rcode(answer), 0);
  EXPECT_EQ(answers(answer), 1);
  EXPECT_EQ(answer.substr(12, asked.size() - 12), asked.substr(12));
  EXPECT_TRUE(answer.ends_with(std::string("\x00\x04\xc6\x12\x80\x14", 6)));
}

TEST(Dns, AnswersEachFamilyWithItsOwnAddresses) {
  EXPECT_EQ(answers(answer_dns(zone(), query("dual.default.svc.cluster.local", dns_type_a), room)), 1);
  EXPECT_EQ(answers(answer_dns(zone(), query("dual.default.svc.cluster.local", dns_type_aaaa), room)), 1);
  EXPECT_EQ(answers(answer_dns(zone(), query("dual.default.svc.cluster.local", dns_type_any), room)), 2);
}

TEST(Dns, ANameWithoutThatTypeExistsAllTheSame) {
  const std::string answer =
      answer_dns(zone(), query("hello.default.svc.cluster.local", dns_type_aaaa), room);
  EXPECT_EQ(rcode(answer), 0);
  EXPECT_EQ(answers(answer), 0);
}

TEST(Dns, AnUnknownNameDoesNotExist) {
  for (const char* name : {"nobody.default.svc.cluster.local", "example.com", "hello"}) {
    EXPECT_EQ(rcode(answer_dns(zone(), query(name, dns_type_a), room)), 3) << name;
  }
}

TEST(Dns, NamesHaveNoCase) {
  EXPECT_EQ(answers(answer_dns(zone(), query("HELLO.Default.svc.cluster.LOCAL", dns_type_a), room)), 1);
}

TEST(Dns, AnExternalNameIsAnAliasWithItsTargetWhereThatIsOurs) {
  EXPECT_EQ(answers(answer_dns(zone(), query("ext.default.svc.cluster.local", dns_type_a), room)), 2);
  EXPECT_EQ(answers(answer_dns(zone(), query("away.default.svc.cluster.local", dns_type_a), room)), 1);
  EXPECT_EQ(answers(answer_dns(zone(), query("ext.default.svc.cluster.local", dns_type_cname), room)), 1);
}

TEST(Dns, AnAliasThatLeadsToItselfEnds) {
  EXPECT_LE(answers(answer_dns(zone(), query("loop.default.svc.cluster.local", dns_type_a), room)), 8);
}

TEST(Dns, WhatDoesNotFitIsLeftOutAndSaidSo) {
  DnsZone big;
  auto& record = big.names["many.default.svc.cluster.local"];
  for (std::uint32_t i = 0; i < 200; ++i) record.addresses.push_back(IpAddress::v4(0xc6120000u + i));
  const std::string answer = answer_dns(big, query("many.default.svc.cluster.local", dns_type_a), 512);
  EXPECT_LE(answer.size(), 512u);
  EXPECT_TRUE(truncated(answer));
  EXPECT_GT(answers(answer), 0);
}

TEST(Dns, BrokenQueriesAreRefusedAndAnswersIgnored) {
  const std::string good = query("hello.default.svc.cluster.local", dns_type_a);
  EXPECT_EQ(answer_dns(zone(), good.substr(0, 11), room), "");
  std::string answer_itself = good;
  answer_itself[2] = static_cast<char>(0x81);
  EXPECT_EQ(answer_dns(zone(), answer_itself, room), "");
  for (std::size_t cut = 12; cut < good.size(); ++cut) {
    EXPECT_EQ(rcode(answer_dns(zone(), good.substr(0, cut), room)), 1) << cut;
  }
  std::string two = good;
  two[5] = 2;
  EXPECT_EQ(rcode(answer_dns(zone(), two, room)), 1);
  std::string compressed = good;
  compressed[12] = static_cast<char>(0xc0);
  EXPECT_EQ(rcode(answer_dns(zone(), compressed, room)), 1);
}

TEST(Dns, OtherOperationsAndClassesAreRefused) {
  std::string notify = query("hello.default.svc.cluster.local", dns_type_a);
  notify[2] = 0x20;
  EXPECT_EQ(rcode(answer_dns(zone(), notify, room)), 4);
  std::string chaos = query("hello.default.svc.cluster.local", dns_type_a);
  chaos.back() = 3;
  EXPECT_EQ(rcode(answer_dns(zone(), chaos, room)), 5);
}

TEST(Dns, ADotInsideALabelIsNoSeparator) {
  std::string packet("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
  packet.append(
      "\x0dhello.default\x03svc\x07"
      "cluster\x05local");
  packet.append(std::string("\x00\x00\x01\x00\x01", 5));
  EXPECT_EQ(rcode(answer_dns(zone(), packet, room)), 1);
}

TEST(Dns, AnAdditionalRecordOfTheQueryIsTolerated) {
  std::string edns = query("hello.default.svc.cluster.local", dns_type_a);
  edns[11] = 1;
  edns.append(std::string("\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00", 11));
  const std::string answer = answer_dns(zone(), edns, room);
  EXPECT_EQ(rcode(answer), 0);
  EXPECT_EQ(answer.at(11), 0);
}

}  // namespace
}  // namespace weft::local
