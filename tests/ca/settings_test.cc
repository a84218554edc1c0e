// The command line: what is meant, and what is refused with a word that helps.
#include "ca/settings.h"

#include <gtest/gtest.h>

namespace weft::ca {
namespace {

using namespace std::chrono_literals;

Flags good() {
  Flags flags;
  flags.key_file = "/k";
  flags.jwks = "/j";
  return flags;
}

TEST(ReadFlags, GoodOnesHaveTheDefaultsOfTheDesign) {
  const auto settings = read_flags(good()).value();
  EXPECT_EQ(settings.policy.leaf_lifetime, 24h);
  EXPECT_EQ(settings.policy.trust_domain, "cluster.local");
  EXPECT_EQ(settings.serving.id.to_string(), "spiffe://cluster.local/ns/weft-system/sa/weft-ca");
  ASSERT_EQ(settings.listen.size(), 2u);
  EXPECT_EQ(settings.listen[0].address.to_string(), "0.0.0.0:15012");
  EXPECT_FALSE(settings.listen[0].optional);
  EXPECT_EQ(settings.listen[1].address.to_string(), "[::]:15012");
  EXPECT_TRUE(settings.listen[1].optional);
}

TEST(ReadFlags, RefusesAndNamesTheFlag) {
  struct Row {
    const char* flag;
    void (*spoil)(Flags&);
  };
  const Row rows[] = {
      {"--key-file", [](Flags& f) { f.key_file = ""; }},
      {"--key-file", [](Flags& f) { f.ca_folder = "/f"; }},
      {"--jwks", [](Flags& f) { f.jwks = ""; }},
      {"--audience", [](Flags& f) { f.audiences = {}; }},
      {"--listen", [](Flags& f) { f.listen = {"x"}; }},
      {"--listen", [](Flags& f) { f.listen = {"65536"}; }},
      {"--metrics", [](Flags& f) { f.metrics = {"127.0.0.1"}; }},
      {"--trust-domain", [](Flags& f) { f.trust_domain = std::string("A"); }},
      {"--leaf-lifetime", [](Flags& f) { f.leaf_lifetime = "9m"; }},
      {"--leaf-lifetime", [](Flags& f) { f.leaf_lifetime = "8d"; }},
      {"--leaf-lifetime", [](Flags& f) { f.leaf_lifetime = std::string("1"); }},
      {"--account", [](Flags& f) { f.account = "weft-ca"; }},
      {"--control-plane", [](Flags& f) { f.control_plane = {"x"}; }},
      {"--log-level", [](Flags& f) { f.log_level = "loud"; }},
  };
  for (const auto& row : rows) {
    Flags flags = good();
    row.spoil(flags);
    const auto settings = read_flags(flags);
    ASSERT_FALSE(settings) << row.flag;
    EXPECT_NE(settings.error().message.find(row.flag), std::string::npos) << settings.error().message;
  }
}

TEST(ParseLifetime, KnowsFourUnits) {
  EXPECT_EQ(parse_lifetime("90s").value(), 90s);
  EXPECT_EQ(parse_lifetime("45m").value(), 45min);
  EXPECT_EQ(parse_lifetime("24h").value(), 24h);
  EXPECT_EQ(parse_lifetime("7d").value(), 7 * 24h);
  for (const char* text : {"", "h", "-1h", "1.5h", "1w", "99999999999h"})
    EXPECT_FALSE(parse_lifetime(text)) << text;
}

}  // namespace
}  // namespace weft::ca
