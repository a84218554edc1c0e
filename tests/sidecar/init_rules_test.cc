#include "sidecar/init_rules.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "base/text.h"
#include "sidecar/init.h"
#include "tests/golden/golden.h"

namespace weft::sidecar {
namespace {

using test::expect_golden;

RuleSettings full_settings() {
  const auto options = parse_init_flags({.exclude_inbound_ports = "9090, 9091",
                                         .exclude_outbound_ports = "3306,8000-8010,443,3306",
                                         .exclude_outbound_cidrs = "198.18.7.9/24,2001:2::7:1/112,198.19.0.1",
                                         .exclude_uids = "0,101"});
  EXPECT_TRUE(options) << options.error().message;
  return options->rules;
}

// What iptables-save would print once `text` is loaded into an empty table.
std::string saved_from(const RuleSettings& settings, Family family) {
  return str_cat("*nat\n:PREROUTING ACCEPT [0:0]\n:WEFT_INBOUND - [0:0]\n",
                 join(expected_rules(settings, family), "\n"), "\nCOMMIT\n");
}

TEST(InitRules, DefaultTextIsGolden) {
  expect_golden("init/default-ipv4.rules", restore_text({}, Family::v4, ""));
  expect_golden("init/default-ipv6.rules", restore_text({}, Family::v6, ""));
}

TEST(InitRules, EveryExclusionStandsInTheTextOfItsFamily) {
  expect_golden("init/exclusions-ipv4.rules", restore_text(full_settings(), Family::v4, ""));
  expect_golden("init/exclusions-ipv6.rules", restore_text(full_settings(), Family::v6, ""));
}

TEST(InitRules, JumpsAreAddedOnlyWhereTheyAreMissing) {
  const std::string again = restore_text({}, Family::v4, saved_from({}, Family::v4));
  EXPECT_EQ(again.find("-I "), std::string::npos);
  EXPECT_EQ(again.find("-D "), std::string::npos);
  EXPECT_NE(again.find(":WEFT_OUTPUT - [0:0]"), std::string::npos) << "the chain is made anew all the same";

  const std::string half = restore_text({}, Family::v4, "-A PREROUTING -p tcp -j WEFT_INBOUND\n");
  EXPECT_EQ(half.find("-I PREROUTING"), std::string::npos);
  EXPECT_NE(half.find("-I OUTPUT 1 -p tcp -j WEFT_OUTPUT\n"), std::string::npos);
}

TEST(InitRules, JumpsThatStandTwiceAreReducedToOne) {
  const std::string jump = "-A OUTPUT -p tcp -j WEFT_OUTPUT\n";
  const std::string text = restore_text({}, Family::v4, jump + jump + jump);
  std::size_t deletions = 0;
  for (const auto line : split(text, '\n')) deletions += line == "-D OUTPUT -p tcp -j WEFT_OUTPUT";
  EXPECT_EQ(deletions, 2u);
}

TEST(InitRules, EverythingMayBeExcludedByAnEmptyPrefix) {
  RuleSettings settings;
  settings.exclude_outbound_cidrs = {*Cidr::parse("0.0.0.0/0")};
  const std::string text = restore_text(settings, Family::v4, "");
  EXPECT_NE(text.find("\n-A WEFT_OUTPUT -j RETURN\n"), std::string::npos) << text;
  EXPECT_EQ(restore_text(settings, Family::v6, "").find("\n-A WEFT_OUTPUT -j RETURN\n"), std::string::npos);
}

TEST(InitRules, FaultsAreNoneWhenAllRulesStand) {
  EXPECT_TRUE(rule_faults(full_settings(), Family::v4, saved_from(full_settings(), Family::v4)).empty());
}

TEST(InitRules, FaultsNameWhatIsMissingForeignOrMisplaced) {
  EXPECT_EQ(rule_faults({}, Family::v4, "*nat\nCOMMIT\n"),
            std::vector<std::string>{"none of the IPv4 rules is loaded"});

  std::string saved = saved_from({}, Family::v4);
  const std::string redirect = "-A WEFT_INBOUND -p tcp -j REDIRECT --to-ports 15006\n";
  saved.replace(saved.find(redirect), redirect.size(),
                "-A WEFT_INBOUND -p tcp -j REDIRECT --to-ports 15016\n");
  const auto faults = rule_faults({}, Family::v4, saved);
  ASSERT_EQ(faults.size(), 2u);
  EXPECT_EQ(faults[0], "IPv4 rule missing: -A WEFT_INBOUND -p tcp -j REDIRECT --to-ports 15006");
  EXPECT_EQ(faults[1], "IPv4 rule not expected: -A WEFT_INBOUND -p tcp -j REDIRECT --to-ports 15016");

  auto rules = expected_rules({}, Family::v6);
  std::swap(rules[rules.size() - 2], rules[rules.size() - 1]);
  const auto order = rule_faults({}, Family::v6, join(rules, "\n"));
  ASSERT_EQ(order.size(), 1u);
  EXPECT_EQ(order[0], "IPv6 rules stand in another order, or more than once");
}

TEST(InitRules, BadListsNameFlagColumnAndWhatWasExpected) {
  struct Case {
    InitFlags flags;
    std::string message;
  };
  const std::vector<Case> cases = {
      {{.exclude_inbound_ports = "80,http"},
       "--exclude-inbound-ports: column 4: 'http' is not a port (1 to 65535) or a range such as 8000-8010"},
      {{.exclude_inbound_ports = "0"},
       "--exclude-inbound-ports: column 1: '0' is not a port (1 to 65535) or a range such as 8000-8010"},
      {{.exclude_outbound_ports = "80,,81"},
       "--exclude-outbound-ports: column 4: '' is not a port (1 to 65535) or a range such as 8000-8010"},
      {{.exclude_outbound_ports = "65536"},
       "--exclude-outbound-ports: column 1: '65536' is not a port (1 to 65535) or a range such as 8000-8010"},
      {{.exclude_outbound_ports = "90-80"},
       "--exclude-outbound-ports: column 1: '90-80' is not a port (1 to 65535) or a range such as 8000-8010"},
      {{.exclude_outbound_cidrs = "198.18.0.0/33"},
       "--exclude-outbound-cidrs: column 1: '198.18.0.0/33' is not an address block such as 198.18.0.0/15 or "
       "2001:2::/48"},
      {{.exclude_uids = "-1"}, "--exclude-uids: column 1: '-1' is not a user id (a whole number)"},
      {{.exclude_uids = "0\n-j ACCEPT"},
       "--exclude-uids: column 1: '0\\x0a-j ACCEPT' is not a user id (a whole number)"},
  };
  for (const Case& one : cases) {
    const auto parsed = parse_init_flags(one.flags);
    ASSERT_FALSE(parsed) << one.message;
    EXPECT_EQ(parsed.error().message, one.message);
  }
  EXPECT_TRUE(parse_init_flags({}));
}

}  // namespace
}  // namespace weft::sidecar
