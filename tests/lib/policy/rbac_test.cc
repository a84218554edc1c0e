#include "policy/rbac.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "policy/annotations.h"

namespace weft::policy {
namespace {

const SpiffeId hello{"cluster.local", "default", "hello"};
const SpiffeId other{"cluster.local", "web", "hello"};
const SpiffeId foreign{"evil.example", "default", "hello"};

// The rules of a port as a user writes them.
PortRules rules(const Annotations& annotations, DefaultPolicy default_policy = DefaultPolicy::allow) {
  Annotations full;
  for (const auto& [name, value] : annotations) full.emplace("weft.mesh/" + name, value);
  const auto read = parse_pod_annotations(full);
  EXPECT_TRUE(read.errors.empty()) << read.errors[0].to_string();
  InboundPort port;
  port.rules = read.settings.rbac.rules;
  port.deny_all = read.settings.rbac.broken;
  return PortRules(port, default_policy, "cluster.local");
}

RbacDecision http(const PortRules& port, const SpiffeId* caller, std::string_view method,
                  const std::string& target) {
  const NormalTarget normal = normalise_target(target);
  const RbacRequest request{method, normal.path(), normal.hazard};
  return port.decide(caller, &request);
}

TEST(Rbac, WithoutRulesTheDefaultPolicyDecides) {
  struct Case {
    DefaultPolicy policy;
    const SpiffeId* caller;
    bool allowed;
    RbacReason reason;
  };
  const Case cases[] = {
      {DefaultPolicy::allow, nullptr, true, RbacReason::allowed_by_default},
      {DefaultPolicy::allow, &hello, true, RbacReason::allowed_by_default},
      {DefaultPolicy::authenticated, nullptr, false, RbacReason::not_authenticated},
      {DefaultPolicy::authenticated, &hello, true, RbacReason::allowed_by_default},
      {DefaultPolicy::authenticated, &foreign, false, RbacReason::not_authenticated},
      {DefaultPolicy::deny, nullptr, false, RbacReason::denied_by_default},
      {DefaultPolicy::deny, &hello, false, RbacReason::denied_by_default},
  };
  for (const Case& c : cases) {
    const PortRules port = rules({}, c.policy);
    for (const RbacDecision& decision : {port.decide(c.caller, nullptr), http(port, c.caller, "GET", "/")}) {
      EXPECT_EQ(decision.allowed, c.allowed);
      EXPECT_EQ(decision.reason, c.reason);
      EXPECT_EQ(decision.rule, "");
    }
    EXPECT_EQ(port.permits_any_http(c.caller), c.allowed);
  }
}

TEST(Rbac, OnceAnAllowRuleGovernsOneMustMatch) {
  const PortRules port = rules({{"allow", "from=default/hello methods=GET paths=/api/*; from=web/*"}});
  const auto allowed = http(port, &hello, "GET", "/api/x");
  EXPECT_TRUE(allowed.allowed);
  EXPECT_EQ(allowed.rule, "allow #1");
  EXPECT_EQ(http(port, &other, "DELETE", "/").rule, "allow #2");
  for (const auto& decision : {http(port, &hello, "POST", "/api/x"), http(port, &hello, "GET", "/other"),
                               http(port, nullptr, "GET", "/api/x")}) {
    EXPECT_FALSE(decision.allowed);
    EXPECT_EQ(decision.reason, RbacReason::no_allow_rule);
    EXPECT_EQ(decision.to_string(), "no allow rule of this port matches");
  }
}

TEST(Rbac, AnAllowRuleOpensWhatTheDefaultPolicyCloses) {
  const PortRules port = rules({{"allow", "from=anonymous paths=/health"}}, DefaultPolicy::deny);
  EXPECT_TRUE(http(port, nullptr, "GET", "/health").allowed);
  EXPECT_FALSE(http(port, nullptr, "GET", "/").allowed);
}

TEST(Rbac, AnyDenyWinsOverEveryAllow) {
  const PortRules port = rules({{"allow", "from=*"}, {"deny", "from=default/hello paths=/admin/*"}});
  const auto denied = http(port, &hello, "GET", "/admin/x");
  EXPECT_FALSE(denied.allowed);
  EXPECT_EQ(denied.to_string(), "denied by rule 'deny #1'");
  EXPECT_TRUE(http(port, &hello, "GET", "/x").allowed);
  EXPECT_TRUE(http(port, &other, "GET", "/admin/x").allowed);
}

TEST(Rbac, SourcesMeanWhatTheySay) {
  struct Case {
    const char* from;
    bool hello, other, anonymous;
  };
  const Case cases[] = {
      {"from=default/hello", true, false, false},
      {"from=default/*", true, false, false},
      {"from=*", true, true, false},
      {"from=anonymous", false, false, true},
      {"from=web/hello,anonymous", false, true, true},
      {"methods=GET", true, true, true},
  };
  for (const Case& c : cases) {
    const PortRules port = rules({{"allow", c.from}});
    EXPECT_EQ(http(port, &hello, "GET", "/").allowed, c.hello) << c.from;
    EXPECT_EQ(http(port, &other, "GET", "/").allowed, c.other) << c.from;
    EXPECT_EQ(http(port, nullptr, "GET", "/").allowed, c.anonymous) << c.from;
    EXPECT_EQ(port.permits_any_http(&hello), c.hello) << c.from;
    EXPECT_EQ(port.permits_any_http(nullptr), c.anonymous) << c.from;
  }
}

TEST(Rbac, AForeignTrustDomainOpensNothingAndIsDeniedByName) {
  EXPECT_FALSE(http(rules({{"allow", "from=default/hello"}}), &foreign, "GET", "/").allowed);
  EXPECT_FALSE(http(rules({{"allow", "from=*"}}), &foreign, "GET", "/").allowed);
  EXPECT_FALSE(http(rules({{"deny", "from=default/hello"}}), &foreign, "GET", "/").allowed);
}

TEST(Rbac, OnTcpHttpFieldsNeverAllowAndAlwaysDeny) {
  EXPECT_FALSE(rules({{"allow", "from=* paths=/x"}}).decide(&hello, nullptr).allowed);
  EXPECT_FALSE(rules({{"allow", "methods=GET"}}).decide(&hello, nullptr).allowed);
  EXPECT_TRUE(rules({{"allow", "from=*"}}).decide(&hello, nullptr).allowed);
  const PortRules deny = rules({{"deny", "from=default/hello paths=/x"}});
  EXPECT_FALSE(deny.decide(&hello, nullptr).allowed);
  EXPECT_TRUE(deny.decide(&other, nullptr).allowed) << "its source still counts";
}

TEST(Rbac, SaysWhetherAnHttpRuleGoverns) {
  EXPECT_FALSE(rules({}).has_http_rules());
  EXPECT_FALSE(rules({{"allow", "from=*"}}).has_http_rules());
  EXPECT_TRUE(rules({{"allow", "methods=GET"}}).has_http_rules());
  EXPECT_TRUE(rules({{"deny", "paths=/x"}}).has_http_rules());
  EXPECT_FALSE(rules({{"audit", "paths=/x"}}).has_http_rules()) << "what only records closes nothing";
  EXPECT_FALSE(rules({{"allow", "methods=GET"}}).has_path_rules());
}

TEST(Rbac, PermitsAnyHttpOnlyWhereSomeRequestCouldPass) {
  EXPECT_FALSE(rules({{"deny", "from=default/hello"}}).permits_any_http(&hello));
  EXPECT_TRUE(rules({{"deny", "from=default/hello paths=/x"}}).permits_any_http(&hello));
  EXPECT_FALSE(rules({{"allow", "from=web/*"}}).permits_any_http(&hello));
  EXPECT_TRUE(rules({{"allow", "from=default/* paths=/x"}}).permits_any_http(&hello));
}

TEST(Rbac, AuditRecordsAndChangesNothing) {
  const PortRules port = rules({{"audit", "paths=/secret/*; from=*"}, {"deny", "from=web/*"}});
  const auto passed = http(port, &hello, "GET", "/secret/x");
  EXPECT_TRUE(passed.allowed);
  EXPECT_EQ(passed.reason, RbacReason::allowed_by_default);
  EXPECT_EQ(passed.audited, "audit #1");
  const auto denied = http(port, &other, "GET", "/");
  EXPECT_FALSE(denied.allowed);
  EXPECT_EQ(denied.audited, "audit #2") << "what is denied is recorded as well";
  EXPECT_EQ(http(port, nullptr, "GET", "/").audited, "");
}

TEST(Rbac, ABrokenPolicyLetsNothingPass) {
  InboundPort port;
  port.rules = {RbacRule{"allow #1", RbacAction::allow, {}, {}, {}}};
  port.deny_all = true;
  const PortRules closed(port, DefaultPolicy::allow, "cluster.local");
  EXPECT_EQ(closed.decide(&hello, nullptr).reason, RbacReason::policy_broken);
  EXPECT_FALSE(http(closed, &hello, "GET", "/").allowed);
  EXPECT_FALSE(closed.permits_any_http(&hello));
}

TEST(Rbac, DenyMatchesEveryReadingOfAPath) {
  const PortRules port = rules({{"deny", "paths=/admin/*"}});
  for (const char* target :
       {"/admin", "/admin/", "/admin/x", "//admin", "/./admin", "/x/../admin", "/%61dmin", "/ADMIN/x",
        "/aDmin", "/admin;a=b", "/admin;a=b/x", "/x/..;/admin", "/x/%2e%2e/admin", "/%2561dmin",
        "/x/%252e%252e/admin", "/x/%252e%252e%252fadmin", "/admin%3Bx", "/admin?x", "/admin%2500"}) {
    EXPECT_FALSE(http(port, &hello, "GET", target).allowed) << target;
  }
  for (const char* target : {"/", "/administrator", "/x/admin", "/x?/admin", "/x;/admin"}) {
    EXPECT_TRUE(http(port, &hello, "GET", target).allowed) << target;
  }
}

TEST(Rbac, AllowMatchesOnlyIfEveryReadingDoes) {
  const PortRules port = rules({{"allow", "paths=/public/*"}});
  for (const char* target :
       {"/public", "/public/x", "/x/../public/y", "/public/a%20b", "/public/a;b", "/public?x=../y"}) {
    EXPECT_TRUE(http(port, &hello, "GET", target).allowed) << target;
  }
  for (const char* target : {"/PUBLIC/x", "/public/../admin", "/public/..;/admin", "/public/%252e%252e/admin",
                             "/public/%252e%252e%252fadmin", "/publicity", "*", "example.org:443"}) {
    EXPECT_FALSE(http(port, &hello, "GET", target).allowed) << target;
  }
}

TEST(Rbac, WherePathRulesExistAHazardousPathIsABadRequest) {
  for (const char* target : {"/a%2fb", "/a%5cb", "/a\\b", "/a%00", "/a%zz", "/%c0%af", "/a#b"}) {
    EXPECT_EQ(http(rules({{"allow", "paths=/*"}}), &hello, "GET", target).reason, RbacReason::unsafe_path)
        << target;
    EXPECT_EQ(http(rules({{"deny", "paths=/x"}}), &hello, "GET", target).reason, RbacReason::unsafe_path)
        << target;
    EXPECT_TRUE(http(rules({{"allow", "from=* methods=GET"}}), &hello, "GET", target).allowed) << target;
  }
}

TEST(Rbac, ADenyOnAPathAlsoStopsWhatHasNone) {
  const PortRules port = rules({{"deny", "paths=/admin"}});
  EXPECT_FALSE(http(port, &hello, "CONNECT", "localhost:80").allowed);
  EXPECT_TRUE(http(port, &hello, "OPTIONS", "*").allowed);
}

TEST(Rbac, MethodsAreExactForAllowAndCaselessForDeny) {
  EXPECT_FALSE(http(rules({{"allow", "methods=GET"}}), &hello, "get", "/").allowed);
  EXPECT_FALSE(http(rules({{"deny", "methods=DELETE"}}), &hello, "delete", "/").allowed);
}

// Adding a deny rule never opens anything, and adding an allow rule to others never closes anything.
TEST(Rbac, RulesAreMonotonic) {
  SeededRandom random(3);
  constexpr const char* sources[] = {"from=*", "from=default/hello", "from=web/*", "from=anonymous",
                                     "from=default/*"};
  constexpr const char* fields[] = {"", " methods=GET", " paths=/a/*", " methods=POST paths=/a"};
  const auto random_rule = [&] { return std::string(sources[random.below(5)]) + fields[random.below(4)]; };
  const auto joined = [](const std::vector<std::string>& list) {
    std::string out;
    for (const std::string& rule : list) out += rule + "\n";
    return out;
  };
  const SpiffeId* callers[] = {nullptr, &hello, &other, &foreign};
  constexpr const char* targets[] = {"/", "/a", "/a/b", "/A/b", "/a;b", "/%252561"};
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> allow{random_rule()};
    std::vector<std::string> deny{random_rule()};
    const PortRules before = rules({{"allow", joined(allow)}, {"deny", joined(deny)}});
    allow.push_back(random_rule());
    const PortRules wider = rules({{"allow", joined(allow)}, {"deny", joined(deny)}});
    deny.push_back(random_rule());
    const PortRules narrower = rules({{"allow", joined(allow)}, {"deny", joined(deny)}});
    for (const SpiffeId* caller : callers) {
      for (const char* target : targets) {
        const char* method = random.below(2) == 0 ? "GET" : "POST";
        const bool was = http(before, caller, method, target).allowed;
        const bool with_allow = http(wider, caller, method, target).allowed;
        EXPECT_LE(was, with_allow);
        EXPECT_GE(with_allow, http(narrower, caller, method, target).allowed);
        EXPECT_LE(with_allow, wider.permits_any_http(caller))
            << "what passes must have been thought possible";
      }
      EXPECT_LE(before.decide(caller, nullptr).allowed, wider.decide(caller, nullptr).allowed);
    }
  }
}

}  // namespace
}  // namespace weft::policy
