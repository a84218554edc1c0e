#include "policy/annotations.h"

#include <gtest/gtest.h>

#include "policy/retry.h"

namespace weft::policy {
namespace {

using namespace std::chrono_literals;

ReadAnnotations<ServiceSettings> service(const std::string& name, const std::string& value) {
  return parse_service_annotations({{"weft.mesh/" + name, value}});
}

// The one message that a single wrong annotation gives.
std::string complaint(ObjectKind kind, const std::string& name, const std::string& value) {
  const Annotations annotations{{"weft.mesh/" + name, value}};
  std::vector<AnnotationError> errors;
  if (kind == ObjectKind::service) errors = parse_service_annotations(annotations).errors;
  if (kind == ObjectKind::pod) errors = parse_pod_annotations(annotations).errors;
  if (kind == ObjectKind::name_space) errors = parse_namespace_annotations(annotations).errors;
  if (errors.empty()) return "";
  return errors.size() == 1 ? errors[0].to_string() : "more than one error";
}

TEST(Annotations, ErrorsNameAnnotationColumnAndWhatWasExpected) {
  constexpr std::string_view duration = "expected a duration like 500ms, 10s, 5m or 1h";
  struct Case {
    ObjectKind kind;
    std::string name;
    std::string value;
    std::string message;
  };
  const auto S = ObjectKind::service;
  const auto P = ObjectKind::pod;
  const auto N = ObjectKind::name_space;
  const Case cases[] = {
      {S, "timeout", "10x", "weft.mesh/timeout: column 3: " + std::string(duration) + ", found '10x'"},
      {S, "timeout", "", "weft.mesh/timeout: column 1: " + std::string(duration) + ", found nothing"},
      {S, "timeout", "10", "weft.mesh/timeout: column 3: " + std::string(duration) + ", found '10'"},
      {S, "timeout", "1.5s", "weft.mesh/timeout: column 2: " + std::string(duration) + ", found '1.5s'"},
      {S, "timeout", "-1s", "weft.mesh/timeout: column 1: " + std::string(duration) + ", found '-1s'"},
      {S, "timeout", "0s", "weft.mesh/timeout: column 1: expected a duration of at least 1ms, found '0s'"},
      {S, "timeout", "25h", "weft.mesh/timeout: column 1: expected a duration of at most 24h, found '25h'"},
      {S, "timeout", "99999999999s",
       "weft.mesh/timeout: column 1: " + std::string(duration) + ", found '99999999999s'"},
      {S, "retry-attempts", "11",
       "weft.mesh/retry-attempts: column 1: expected a number of further tries from 0 to 10, found '11'"},
      {S, "retry-attempts", "2 tries",
       "weft.mesh/retry-attempts: column 2: expected a number of further tries from 0 to 10, found '2 "
       "tries'"},
      {S, "retry-on", "5xx,rest",
       "weft.mesh/retry-on: column 5: expected a status code from 400 to 599 or one of 5xx gateway-error "
       "reset "
       "connect-failure refused-stream retriable-4xx per-try-timeout cancelled deadline-exceeded internal "
       "resource-exhausted unavailable, found 'rest'"},
      {S, "retry-methods", "POST,*",
       "weft.mesh/retry-methods: column 6: expected * alone, or methods like POST,PATCH, found '*'"},
      {S, "retry-budget", "20",
       "weft.mesh/retry-budget: column 3: expected a percentage like 20%, at most 100%, found '20'"},
      {S, "canary", "v1=90,v2",
       "weft.mesh/canary: column 7: expected a subset and its weight, like v1=90, found 'v2'"},
      {S, "canary", "v1=90, v2=ten",
       "weft.mesh/canary: column 11: expected a weight from 0 to 1000000, found 'ten'"},
      {S, "canary", "v1=0,v2=0",
       "weft.mesh/canary: column 1: expected weights with a sum above 0, found 'v1=0,v2=0'"},
      {S, "canary", "v1=1,v1=2", "weft.mesh/canary: column 6: expected each subset only once, found 'v1'"},
      {S, "canary-label", "a label",
       "weft.mesh/canary-label: column 1: expected the key of a label, like version or example.org/track, "
       "found 'a label'"},
      {S, "routes", "header(end-user)=john",
       "weft.mesh/routes: column 1: expected conditions -> subset, like header(end-user)=john -> v2, found "
       "'header(end-user)=john'"},
      {S, "routes", "path=/a -> v1\nheader(x)~[a -> v2",
       "weft.mesh/routes: column 25: expected a ']' for this '[', found '[a'"},
      {S, "routes", "method=GET & pth=/x -> v1",
       "weft.mesh/routes: column 14: expected header(name)=value, header(name)~regex, path=/x, path=/x/* or "
       "method=GET, found 'pth=/x'"},
      {S, "allow", "from=default/hello; form=a/b",
       "weft.mesh/allow: column 21: expected from=, methods= or paths=, found 'form=a/b'"},
      {S, "allow", "from=hello",
       "weft.mesh/allow: column 6: expected namespace/service-account, namespace/*, * or anonymous, found "
       "'hello'"},
      {S, "allow", "from=*/hello",
       "weft.mesh/allow: column 6: expected namespace/service-account, namespace/*, * or anonymous, found "
       "'*/hello'"},
      {S, "deny", "paths=api/*", "weft.mesh/deny: column 7: expected a path like /x or /x/*, found 'api/*'"},
      {S, "deny", "paths=/a*b", "weft.mesh/deny: column 9: expected a path like /x or /x/*, found '/a*b'"},
      {S, "deny", "paths=/a%2Fb",
       "weft.mesh/deny: column 7: expected a path like /x or /x/* without an encoded slash, found '/a%2Fb'"},
      {S, "deny", "from=a/b from=c/d",
       "weft.mesh/deny: column 10: expected from= only once in a rule, found 'from=c/d'"},
      {S, "deny", " ",
       "weft.mesh/deny: column 2: expected a rule like from=default/hello methods=GET paths=/api/*, found "
       "nothing"},
      {S, "outlier", "consecutive=0",
       "weft.mesh/outlier: column 13: expected a number of failures from 1 to 1000, found '0'"},
      {S, "load-balancer", "fastest",
       "weft.mesh/load-balancer: column 1: expected least-request, round-robin, random, "
       "hash(header:x-user) or hash(cookie:sid), found 'fastest'"},
      {S, "canary-sticky", "header()",
       "weft.mesh/canary-sticky: column 8: expected header(x-user) or cookie(sid), found nothing"},
      {S, "canary-sticky", "query(user)",
       "weft.mesh/canary-sticky: column 1: expected header(x-user) or cookie(sid), found 'query(user)'"},
      {S, "load-balancer", "hash(x-user)",
       "weft.mesh/load-balancer: column 6: expected header:x-user or cookie:sid, found 'x-user'"},
      {S, "load-balancer", "hash(query:user)",
       "weft.mesh/load-balancer: column 6: expected header or cookie, found 'query'"},
      {S, "limits", "connections=none",
       "weft.mesh/limits: column 13: expected a limit from 1 to 10000000, found 'none'"},
      {S, "mirror", "v2=10",
       "weft.mesh/mirror: column 6: expected a percentage like 20%, at most 100%, found '10'"},
      {S, "fault", "delay=5s",
       "weft.mesh/fault: column 1: expected delay=5s@10% or abort=503@1%, found 'delay=5s'"},
      {P, "mtls", "Strict",
       "weft.mesh/mtls: column 1: expected strict, permissive or disable, found 'Strict'"},
      {P, "mtls-ports", "8080",
       "weft.mesh/mtls-ports: column 1: expected a port and its mode, like 8080=permissive, found '8080'"},
      {P, "mtls-ports", "0=strict",
       "weft.mesh/mtls-ports: column 1: expected a port from 1 to 65535, found '0'"},
      {P, "exclude-outbound-ports", "22,,80",
       "weft.mesh/exclude-outbound-ports: column 4: expected a port from 1 to 65535, found nothing"},
      {P, "exclude-inbound-ports", "80-70",
       "weft.mesh/exclude-inbound-ports: column 4: expected a port not below 80, found '70'"},
      {P, "exclude-outbound-cidrs", "198.18.0.0/33",
       "weft.mesh/exclude-outbound-cidrs: column 1: expected a CIDR block like 198.18.0.0/15 or 2001:2::/48, "
       "found "
       "'198.18.0.0/33'"},
      {P, "exclude-uids", "root",
       "weft.mesh/exclude-uids: column 1: expected a user id from 0 to 4294967294, found 'root'"},
      {P, "concurrency", "0",
       "weft.mesh/concurrency: column 1: expected a number of worker threads from 1 to 64, found '0'"},
      {P, "log-level", "trace",
       "weft.mesh/log-level: column 1: expected debug, info, warning, error or off, found 'trace'"},
      {P, "access-log", "on", "weft.mesh/access-log: column 1: expected off, errors or all, found 'on'"},
      {P, "drain-timeout", "46s",
       "weft.mesh/drain-timeout: column 1: expected a duration of at most 45s, found '46s'"},
      {P, "cpu-request", "half",
       "weft.mesh/cpu-request: column 1: expected a quantity like 100m, 0.5 or 64Mi, found 'half'"},
      {N, "default-policy", "",
       "weft.mesh/default-policy: column 1: expected allow, authenticated or deny, found nothing"},
      {N, "outbound-policy", "none",
       "weft.mesh/outbound-policy: column 1: expected allow-any or registry-only, found 'none'"},
      // A value from the network is shown in printable form, and not at any length.
      {N, "mtls", "\x1b[31m",
       "weft.mesh/mtls: column 1: expected strict, permissive or disable, found '\\x1b[31m'"},
      {N, "mtls", std::string(100, 'a'),
       "weft.mesh/mtls: column 1: expected strict, permissive or disable, found '" + std::string(60, 'a') +
           "...'"},
  };
  for (const Case& wrong : cases) EXPECT_EQ(complaint(wrong.kind, wrong.name, wrong.value), wrong.message);
}

TEST(Annotations, ErrorsOfFaultsMirrorsAndAttemptsSayTheSame) {
  struct Case {
    const char* name;
    const char* value;
    const char* message;
  };
  const Case cases[] = {
      {"mirror", "v2",
       "weft.mesh/mirror: column 1: expected a subset and its share, like v2=10%, found 'v2'"},
      {"fault", "delay=5s@10%; abort=200@1%",
       "weft.mesh/fault: column 21: expected a status code from 400 to 599, found '200'"},
      {"fault", "delay=1s@10%\ndelay=5s@10%",
       "weft.mesh/fault: column 14: expected delay= only once, found 'delay'"},
      {"fault", "delays=1s@1%",
       "weft.mesh/fault: column 1: expected delay=5s@10% or abort=503@1%, found 'delays'"},
      {"attempts-header", "yes", "weft.mesh/attempts-header: column 1: expected true or false, found 'yes'"},
      {"attempt-header", "true",
       "weft.mesh/attempt-header: unknown annotation, did you mean weft.mesh/attempts-header?"},
  };
  for (const Case& wrong : cases)
    EXPECT_EQ(complaint(ObjectKind::service, wrong.name, wrong.value), wrong.message);
}

TEST(Annotations, UnknownAndMisplacedKeysAreErrorsThatShowTheWay) {
  EXPECT_EQ(complaint(ObjectKind::service, "timout", "10s"),
            "weft.mesh/timout: unknown annotation, did you mean weft.mesh/timeout?");
  EXPECT_EQ(complaint(ObjectKind::service, "colour", "red"),
            "weft.mesh/colour: unknown annotation: docs/configuration.md lists those of a Service");
  EXPECT_EQ(complaint(ObjectKind::pod, "timeout", "10s"),
            "weft.mesh/timeout: has no meaning on a pod template: it belongs on a Service");
  EXPECT_EQ(complaint(ObjectKind::service, "mtls", "strict"),
            "weft.mesh/mtls: has no meaning on a Service: it belongs on a pod template or a Namespace");
  EXPECT_EQ(complaint(ObjectKind::name_space, "inject", "enabled"),
            "weft.mesh/inject: is a label, not an annotation: put it under metadata.labels of a Namespace");
  EXPECT_EQ(complaint(ObjectKind::pod, std::string(1000, 'x'), "1").substr(0, 20), "weft.mesh/xxxxxxxxxx");
}

TEST(Annotations, OtherPrefixesAreNobodysBusiness) {
  const auto read = parse_service_annotations(
      {{"example.org/timeout", "never"}, {"weft.mesh.example/timeout", "never"}, {"weft", "x"}, {"zz", "y"}});
  EXPECT_TRUE(read.errors.empty());
  EXPECT_EQ(read.settings, ServiceSettings{});
  EXPECT_TRUE(read.good.empty());
}

TEST(Annotations, NoAnnotationsGiveTheDefaults) {
  EXPECT_EQ(parse_service_annotations({}).settings, ServiceSettings{});
  EXPECT_EQ(parse_pod_annotations({}).settings, PodSettings{});
  EXPECT_EQ(parse_namespace_annotations({}).settings, NamespaceSettings{});
  EXPECT_EQ(ServiceSettings{}.canary_label, "version");
  EXPECT_EQ(RetryPolicy{}.budget_percent, 20u);
}

TEST(Annotations, EveryServiceExampleOfTheReferenceIsRead) {
  const auto read = parse_service_annotations({
      {"weft.mesh/timeout", "10s"},
      {"weft.mesh/retry-attempts", "2"},
      {"weft.mesh/retry-on", "5xx,reset,connect-failure,503,429,503"},
      {"weft.mesh/per-try-timeout", "1m30s500ms"},
      {"weft.mesh/retry-methods", "POST, PATCH"},
      {"weft.mesh/retry-budget", "35%"},
      {"weft.mesh/canary", "v1=90,v2=10"},
      {"weft.mesh/canary-label", "example.org/track"},
      {"weft.mesh/canary-sticky", "cookie(sid)"},
      {"weft.mesh/load-balancer", "hash(header:x-user)"},
      {"weft.mesh/outlier", "consecutive=7 interval=5s ejection=1m max=25%"},
      {"weft.mesh/limits", "connections=10 pending=20 requests=30"},
      {"weft.mesh/mirror", "v2=10%"},
      {"weft.mesh/fault", "delay=5s@10%; abort=503@1%"},
      {"weft.mesh/attempts-header", "true"},
      {"weft.mesh/preserve-case", "true"},
  });
  EXPECT_TRUE(read.errors.empty()) << read.errors[0].to_string();
  EXPECT_EQ(read.good.size(), 16u);
  const ServiceSettings& settings = read.settings;
  EXPECT_EQ(settings.timeout, Millis(10'000));
  EXPECT_EQ(settings.retry.attempts, 2u);
  EXPECT_EQ(settings.retry.retry_on, retry_5xx | retry_reset | retry_connect_failure);
  EXPECT_EQ(settings.retry.statuses, (std::vector<std::uint16_t>{503, 429}));
  EXPECT_EQ(settings.retry.per_try_timeout, Millis(90'500));
  EXPECT_EQ(settings.retry.methods, (std::vector<std::string>{"POST", "PATCH"}));
  EXPECT_EQ(settings.retry.budget_percent, 35u);
  EXPECT_EQ(settings.canary, (std::vector<WeightedSubset>{{"v1", 90}, {"v2", 10}}));
  EXPECT_EQ(settings.canary_label, "example.org/track");
  EXPECT_EQ(settings.outlier, (OutlierSettings{7, 5s, 1min, 25}));
  EXPECT_EQ(settings.fault, (FaultInjection{5s, 10, 503, 1}));
  EXPECT_EQ(settings.mirror, (Mirror{"v2", 10}));
  EXPECT_TRUE(settings.attempts_header && settings.preserve_case);
  EXPECT_EQ(settings.limits, (ServiceLimits{10, 20, 30}));
  EXPECT_EQ(settings.canary_sticky, (CallerKey{CallerKey::Kind::cookie, "sid"}));
  EXPECT_EQ(settings.load_balancer,
            (LoadBalancer{LoadBalancer::Kind::hash, {CallerKey::Kind::header, "x-user"}}));
}

TEST(Annotations, ALoadBalancerIsAWordOrAHashOfAHeaderOrACookie) {
  using Kind = LoadBalancer::Kind;
  const std::pair<const char*, LoadBalancer> cases[] = {
      {"least-request", {Kind::least_request, {}}},
      {" round-robin\n", {Kind::round_robin, {}}},
      {"random", {Kind::random, {}}},
      {"hash(header:X-User)", {Kind::hash, {CallerKey::Kind::header, "x-user"}}},
      {"hash( cookie : Sid )", {Kind::hash, {CallerKey::Kind::cookie, "Sid"}}},
  };
  for (const auto& [value, wanted] : cases) {
    const auto read = parse_service_annotations({{"weft.mesh/load-balancer", value}});
    EXPECT_TRUE(read.errors.empty()) << value;
    EXPECT_EQ(read.settings.load_balancer, wanted) << value;
  }
}

TEST(Annotations, EveryPodExampleOfTheReferenceIsRead) {
  const auto read = parse_pod_annotations({
      {"weft.mesh/mtls", "strict"},
      {"weft.mesh/mtls-ports", "8080=permissive,9090=disable"},
      {"weft.mesh/exclude-outbound-ports", "22, 6000-7000"},
      {"weft.mesh/exclude-inbound-ports", "9100"},
      {"weft.mesh/exclude-outbound-cidrs", "198.18.0.0/15,2001:2::/48,198.51.100.1"},
      {"weft.mesh/exclude-uids", "0,1000"},
      {"weft.mesh/opaque-ports", "3306"},
      {"weft.mesh/concurrency", "4"},
      {"weft.mesh/log-level", "debug"},
      {"weft.mesh/access-log", "all"},
      {"weft.mesh/drain-timeout", "0s"},
      {"weft.mesh/tcp-max-age", "48h"},
      {"weft.mesh/outbound-policy", "registry-only"},
      {"weft.mesh/cpu-request", "100m"},
      {"weft.mesh/cpu-limit", "0.5"},
      {"weft.mesh/memory-request", "16Mi"},
      {"weft.mesh/memory-limit", "1Gi"},
      {"weft.mesh/status", "{\"whatever\": 1}"},
  });
  EXPECT_TRUE(read.errors.empty()) << read.errors[0].to_string();
  const PodSettings& settings = read.settings;
  EXPECT_EQ(settings.mtls, MtlsMode::strict);
  EXPECT_EQ(settings.mtls_ports,
            (std::vector<PortMode>{{8080, MtlsMode::permissive}, {9090, MtlsMode::disable}}));
  EXPECT_EQ(settings.exclude_outbound_ports, (std::vector<PortRange>{{22, 22}, {6000, 7000}}));
  EXPECT_EQ(settings.exclude_inbound_ports, (std::vector<PortRange>{{9100, 9100}}));
  ASSERT_EQ(settings.exclude_outbound_cidrs.size(), 3u);
  EXPECT_EQ(settings.exclude_outbound_cidrs[2].to_string(), "198.51.100.1/32");
  EXPECT_EQ(settings.exclude_uids, (std::vector<std::uint32_t>{0, 1000}));
  EXPECT_EQ(settings.opaque_ports, (std::vector<PortRange>{{3306, 3306}}));
  EXPECT_EQ(settings.concurrency, 4u);
  EXPECT_EQ(settings.log_level, "debug");
  EXPECT_EQ(settings.access_log, AccessLog::all);
  EXPECT_EQ(settings.drain_timeout, Millis(0));
  EXPECT_EQ(settings.tcp_max_age, Millis(48h));
  EXPECT_EQ(settings.outbound_policy, OutboundPolicy::registry_only);
  EXPECT_EQ(settings.cpu_request, "100m");
  EXPECT_EQ(settings.memory_limit, "1Gi");
}

TEST(Annotations, NamespaceKeysAreRead) {
  const auto read = parse_namespace_annotations({{"weft.mesh/mtls", "strict"},
                                                 {"weft.mesh/default-policy", "authenticated"},
                                                 {"weft.mesh/deny", "from=anonymous"}},
                                                "namespace legacy");
  EXPECT_TRUE(read.errors.empty());
  EXPECT_EQ(read.settings.mtls, MtlsMode::strict);
  EXPECT_EQ(read.settings.default_policy, DefaultPolicy::authenticated);
  ASSERT_EQ(read.settings.rbac.rules.size(), 1u);
  EXPECT_EQ(read.settings.rbac.rules[0].name, "namespace legacy deny #1");
}

TEST(Annotations, RulesComeOneALineOrSplitBySemicolons) {
  using Kind = RbacSource::Kind;
  const auto read = parse_service_annotations(
      {{"weft.mesh/allow",
        "from=default/hello,web/* methods=GET,HEAD paths=/api/*,/health\n\n  from=*\n; paths=/a/../b//c"},
       {"weft.mesh/audit", "from=anonymous"}},
      "service default/world");
  ASSERT_TRUE(read.errors.empty()) << read.errors[0].to_string();
  EXPECT_FALSE(read.settings.rbac.broken);
  const std::vector<RbacRule> expected{
      {"service default/world allow #1",
       RbacAction::allow,
       {{Kind::service_account, "default", "hello"}, {Kind::name_space, "web", ""}},
       {"GET", "HEAD"},
       {"/api/*", "/health"}},
      {"service default/world allow #2", RbacAction::allow, {{Kind::any_mesh, "", ""}}, {}, {}},
      {"service default/world allow #3", RbacAction::allow, {}, {}, {"/b/c"}},
      {"service default/world audit #1", RbacAction::audit, {{Kind::anonymous, "", ""}}, {}, {}},
  };
  EXPECT_EQ(read.settings.rbac.rules, expected);
}

TEST(Annotations, RoutesKeepTheirOrderAndConditions) {
  using Kind = RouteCondition::Kind;
  const auto read = service("routes",
                            "header(End-User)=john & method=GET -> v2; path=/x/* -> v1\n"
                            "header(x-v)~v[23] & path=/a/./b -> v3; path=/* -> v1\n");
  ASSERT_TRUE(read.errors.empty()) << read.errors[0].to_string();
  const std::vector<RouteRule> expected{
      {{{Kind::header_equals, "end-user", "john"}, {Kind::method, "", "GET"}}, "v2"},
      {{{Kind::path_prefix, "", "/x"}}, "v1"},
      {{{Kind::header_matches, "x-v", "v[23]"}, {Kind::path_exact, "", "/a/b"}}, "v3"},
      {{{Kind::path_prefix, "", ""}}, "v1"},
  };
  EXPECT_EQ(read.settings.routes, expected);
}

TEST(Annotations, AWrongValueLeavesTheOthersAndItsOwnLastGoodOne) {
  auto held = parse_service_annotations({{"weft.mesh/timeout", "10s"}, {"weft.mesh/canary", "v1=1"}});
  const auto read = parse_service_annotations(
      {{"weft.mesh/timeout", "soon"}, {"weft.mesh/canary", "v2=1"}, {"weft.mesh/retry-attempts", "many"}}, {},
      held.good);
  EXPECT_EQ(read.settings.timeout, Millis(10'000));
  EXPECT_EQ(read.settings.canary, (std::vector<WeightedSubset>{{"v2", 1}}));
  EXPECT_EQ(read.settings.retry.attempts, std::nullopt);
  ASSERT_EQ(read.errors.size(), 2u);
  EXPECT_EQ(read.errors[0].annotation, "weft.mesh/retry-attempts");
  EXPECT_EQ(read.errors[1].annotation, "weft.mesh/timeout");
  EXPECT_EQ(read.good, (Annotations{{"weft.mesh/timeout", "10s"}, {"weft.mesh/canary", "v2=1"}}));
}

TEST(Annotations, ARemovedAnnotationIsNotHeldFast) {
  const auto held = parse_service_annotations({{"weft.mesh/timeout", "10s"}});
  const auto read = parse_service_annotations({}, {}, held.good);
  EXPECT_EQ(read.settings.timeout, std::nullopt);
  EXPECT_TRUE(read.good.empty());
}

TEST(Annotations, ABrokenRuleWithoutALastGoodOneIsMarkedAndWithOneItIsKept) {
  const auto first = parse_pod_annotations({{"weft.mesh/deny", "from="}, {"weft.mesh/allow", "from=a/b"}});
  EXPECT_TRUE(first.settings.rbac.broken);
  EXPECT_EQ(first.settings.rbac.rules.size(), 1u);
  const auto second =
      parse_pod_annotations({{"weft.mesh/deny", "from=bad"}}, "pod", {{"weft.mesh/deny", "from=c/d"}});
  EXPECT_FALSE(second.settings.rbac.broken);
  ASSERT_EQ(second.settings.rbac.rules.size(), 1u);
  EXPECT_EQ(second.settings.rbac.rules[0].from[0].service_account, "d");
  // One bad rule takes its whole annotation along: half a policy is nobody's intention.
  const auto third = parse_pod_annotations({{"weft.mesh/allow", "from=a/b\nfrom=oops"}});
  EXPECT_TRUE(third.settings.rbac.broken);
  EXPECT_TRUE(third.settings.rbac.rules.empty());
  // What only records may be wrong without closing anything.
  EXPECT_FALSE(parse_pod_annotations({{"weft.mesh/audit", "from=bad"}}).settings.rbac.broken);
}

TEST(Annotations, BoundsOfListsAreEnforced) {
  std::string rules;
  for (int i = 0; i < 257; ++i) rules += "from=a/b\n";
  EXPECT_EQ(complaint(ObjectKind::service, "allow", rules),
            "weft.mesh/allow: column 2305: expected at most 256 rules, found 'from=a/b'");
  std::string subsets = "v0=1";
  for (int i = 1; i < 65; ++i) subsets += ",v" + std::to_string(i) + "=1";
  EXPECT_EQ(complaint(ObjectKind::service, "canary", subsets),
            "weft.mesh/canary: column 375: expected at most 64 subsets, found 'v64=1'");
}

TEST(InjectLabel, HasItsOwnWordsOnEachKind) {
  const auto read = [](ObjectKind kind, const std::string& value) {
    return parse_inject_label(kind, {{"weft.mesh/inject", value}});
  };
  EXPECT_EQ(read(ObjectKind::name_space, "enabled").wanted, true);
  EXPECT_EQ(read(ObjectKind::name_space, "disabled").wanted, false);
  EXPECT_EQ(read(ObjectKind::pod, "true").wanted, true);
  EXPECT_EQ(read(ObjectKind::pod, "false").wanted, false);
  EXPECT_EQ(parse_inject_label(ObjectKind::pod, {}).wanted, std::nullopt);
  EXPECT_TRUE(parse_inject_label(ObjectKind::pod, {}).errors.empty());
  const auto wrong = read(ObjectKind::pod, "enabled");
  EXPECT_EQ(wrong.wanted, std::nullopt);
  ASSERT_EQ(wrong.errors.size(), 1u);
  EXPECT_EQ(wrong.errors[0].to_string(),
            "weft.mesh/inject: column 1: expected true or false, found 'enabled'");
}

}  // namespace
}  // namespace weft::policy
