// The init container for real: what it loads into a network namespace of the test's own.
#include "sidecar/init.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "base/text.h"
#include "sidecar/init_check.h"
#include "sidecar/init_tables.h"
#include "tests/sidecar/init_pod.h"

namespace weft::sidecar {
namespace {

std::string saved_rules() {
  // Comments carry the time of day.
  return shell("for t in filter nat; do iptables-save -t $t; ip6tables-save -t $t; done | grep -v '^#'");
}

TEST_F(InitTest, RunTwiceIsTheSameAsRunOnce) {
  add_void_device();
  init_or_fail();
  const std::string once = saved_rules();
  EXPECT_NE(once.find("-A OUTPUT -p tcp -j WEFT_OUTPUT"), std::string::npos);
  init_or_fail();
  EXPECT_EQ(saved_rules(), once);
}

TEST_F(InitTest, ChangedSettingsReplaceTheOldRulesAndLeaveForeignOnesAlone) {
  add_void_device();
  shell("iptables -t nat -A OUTPUT -p tcp --dport 53 -j DNAT --to-destination 198.18.0.53:53");
  InitOptions first;
  first.rules.exclude_outbound_ports = {{9042, 9042}, {9050, 9060}};
  init_or_fail(first);
  ASSERT_NE(saved_rules().find("--dport 9042 "), std::string::npos);
  init_or_fail();
  EXPECT_EQ(saved_rules().find("--dport 9042 "), std::string::npos);
  EXPECT_NE(saved_rules().find("--to-destination 198.18.0.53:53"), std::string::npos);
  const std::string rules = saved_rules();
  EXPECT_LT(rules.find("-j WEFT_OUTPUT"), rules.find("-j DNAT")) << "weft's jump comes first";
}

TEST_F(InitTest, WorksWithTheLegacyBackendAlone) {
  add_void_device();
  const std::string folder = testing::TempDir() + "weft-legacy-only";
  shell(
      str_cat("rm -rf ", folder, "; mkdir ", folder,
              "; for t in iptables ip6tables; do for v in save restore; do ln -s $(command -v $t-legacy-$v) ",
              folder, "/$t-legacy-$v; done; done"));
  InitOptions options;
  options.search_path = folder;
  init_or_fail(options);
  EXPECT_NE(shell("iptables-legacy-save -t nat").find("-A OUTPUT -p tcp -j WEFT_OUTPUT"), std::string::npos);
  init_or_fail(options);
  std::filesystem::remove_all(folder);
}

TEST_F(InitTest, Ipv6SwitchedOffBySysctlIsAFactAndNotAnError) {
  add_void_device();
  shell("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
  EXPECT_EQ(ipv6_state(), Ipv6State::off);
  init_or_fail();
}

// A folder with a real iptables and an ip6tables that fails, as on a node without the module.
std::string folder_with_failing_ip6tables() {
  std::string folder = testing::TempDir() + "weft-broken-ip6tables";
  shell(str_cat("rm -rf ", folder, "; mkdir ", folder, "; cd ", folder,
                "; for v in save restore; do ln -s $(command -v iptables-$v) iptables-$v;"
                "printf '#!/bin/sh\\necho \"Table does not exist\" >&2\\nexit 3\\n' >ip6tables-$v;"
                "chmod 755 ip6tables-$v; done"));
  return folder;
}

TEST_F(InitTest, FailingIp6tablesIsAFactWhereIpv6IsOff) {
  add_void_device();
  shell("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
  InitOptions options;
  options.search_path = folder_with_failing_ip6tables();
  int exit_code = -1;
  const std::string log = init(options, exit_code);
  EXPECT_EQ(exit_code, 0) << log;
  EXPECT_NE(log.find("IPv6 is left out"), std::string::npos) << log;
  EXPECT_NE(shell("iptables-save -t nat").find("WEFT_OUTPUT"), std::string::npos);
}

TEST_F(InitTest, FailingIp6tablesIsAnErrorWhereIpv6IsOn) {
  add_void_device();
  InitOptions options;
  options.search_path = folder_with_failing_ip6tables();
  int exit_code = -1;
  const std::string log = init(options, exit_code);
  EXPECT_EQ(exit_code, 1);
  EXPECT_NE(log.find("IPv6 is on in this namespace but cannot be redirected"), std::string::npos) << log;
  EXPECT_NE(log.find("Table does not exist"), std::string::npos)
      << "the program's own words are shown: " << log;
}

TEST_F(InitTest, WithoutIptablesTheMessageNamesThePackage) {
  InitOptions options;
  options.search_path = "/nonexistent";
  int exit_code = -1;
  const std::string log = init(options, exit_code);
  EXPECT_EQ(exit_code, 1);
  EXPECT_NE(log.find("install the package iptables"), std::string::npos) << log;
}

TEST_F(InitTest, WithoutRootTheMessageNamesTheCapability) {
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(9);
    int exit_code = -1;
    const std::string log = init({}, exit_code);
    _exit(exit_code == 1 && log.find("CAP_NET_ADMIN") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(InitTest, CheckProvesRedirectionWhenTheOutboundPortIsFree) {
  add_void_device();
  init_or_fail();
  EXPECT_EQ(prove_outbound({}, Family::v4), Proof::redirected);
  EXPECT_EQ(prove_outbound({}, Family::v6), Proof::redirected);
  InitOptions check;
  check.check = true;
  init_or_fail(check);
}

TEST_F(InitTest, CheckSaysWhatIsMissingWithoutRules) {
  add_void_device();
  InitOptions check;
  check.check = true;
  int exit_code = -1;
  const std::string log = init(check, exit_code);
  EXPECT_EQ(exit_code, 1);
  EXPECT_NE(log.find("none of the IPv4 rules is loaded"), std::string::npos) << log;
  EXPECT_NE(log.find("outbound IPv4 traffic is not redirected; run weft-sidecar init"), std::string::npos)
      << log;
  EXPECT_NE(log.find("outbound IPv6 traffic is not redirected"), std::string::npos) << log;
}

TEST_F(InitTest, CheckFindsAnInboundRuleThatWasTakenAway) {
  add_void_device();
  init_or_fail();
  shell("iptables -t nat -D WEFT_INBOUND -p tcp -j REDIRECT --to-ports 15006");
  InitOptions check;
  check.check = true;
  int exit_code = -1;
  const std::string log = init(check, exit_code);
  EXPECT_EQ(exit_code, 1);
  EXPECT_NE(log.find("IPv4 rule missing: -A WEFT_INBOUND -p tcp -j REDIRECT --to-ports 15006"),
            std::string::npos)
      << log;
}

TEST_F(InitTest, CheckPicksATestAddressAndUserThatAreNotExcluded) {
  add_void_device();
  InitOptions options;
  options.rules.exclude_outbound_cidrs = {*Cidr::parse("198.18.0.0/15")};
  options.rules.exclude_outbound_ports = {{7, 7}};
  options.rules.exclude_uids = {0};
  init_or_fail(options);
  EXPECT_EQ(probe_target(options.rules, Family::v4)->to_string(), "192.0.2.254:8");
  EXPECT_EQ(prove_outbound(options.rules, Family::v4), Proof::redirected);
}

}  // namespace
}  // namespace weft::sidecar
