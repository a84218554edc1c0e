// What a pod's own sidecar is told: who may call it, and how it is to behave.
#include "tests/discovery/translate_fixture.h"

namespace weft::discovery {
namespace {

using policy::MtlsMode;
using policy::Protocol;

using TranslateInbound = Translate;
using Names = std::vector<std::string>;

TEST_F(TranslateInbound, RulesComeFromServicesByTargetPortPodAndNamespace) {
  apply(
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, annotations: {weft.mesh/deny: "
      "from=bad/*}}\n" +
      service_yaml("hello", "198.18.0.10", "app: hello", "{name: http, port: 80, targetPort: web}",
                   "weft.mesh/allow: \"from=default/world methods=GET; from=default/other\"") +
      service_yaml("admin", "198.18.0.11", "app: hello", "{name: tcp-x, port: 90, targetPort: 9090}",
                   "weft.mesh/allow: from=ops/admin") +
      service_yaml("elsewhere", "198.18.0.12", "app: elsewhere", "{port: 80, targetPort: web}",
                   "weft.mesh/deny: from=*") +
      pod_yaml("a", "198.18.1.1", "app: hello", ", annotations: {weft.mesh/audit: from=anonymous}"));
  const policy::InboundPolicy got = inbound("a");
  EXPECT_EQ(got.workload, "default/a");
  EXPECT_EQ(got.identity, hello_id);
  ASSERT_EQ(got.ports.size(), 3u);
  EXPECT_EQ(rule_names(got.ports[0]), (Names{"pod default/a audit #1", "namespace default deny #1"}));
  EXPECT_EQ(rule_names(port(got, 8080)),
            (Names{"service default/hello allow #1", "service default/hello allow #2",
                   "pod default/a audit #1", "namespace default deny #1"}));
  EXPECT_EQ(port(got, 8080).protocol, Protocol::http1);
  EXPECT_EQ(rule_names(port(got, 9090)),
            (Names{"service default/admin allow #1", "pod default/a audit #1", "namespace default deny #1"}));
  EXPECT_EQ(port(got, 9090).protocol, Protocol::tcp);
}

TEST_F(TranslateInbound, TwoServicePortsToOneTargetCountTheirRulesOnce) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello",
                     "{name: a, port: 80, targetPort: web}, {name: b, port: 81, "
                     "targetPort: 8080}",
                     "weft.mesh/allow: from=default/world") +
        pod_yaml("a", "198.18.1.1", "app: hello"));
  EXPECT_EQ(rule_names(port(inbound("a"), 8080)), Names{"service default/hello allow #1"});
}

TEST_F(TranslateInbound, ServicesThatDisagreeOnTheProtocolAreNotBelieved) {
  apply(service_yaml("one", "198.18.0.10", "app: hello", "{name: http, port: 80, targetPort: web}") +
        service_yaml("two", "198.18.0.11", "app: hello", "{name: tcp, port: 80, targetPort: web}") +
        pod_yaml("a", "198.18.1.1", "app: hello"));
  EXPECT_EQ(port(inbound("a"), 8080).protocol, Protocol::detect);
}

TEST_F(TranslateInbound, MtlsModesGoFromNamespaceOverPodToPort) {
  apply(
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, annotations: {weft.mesh/mtls: strict,"
      " weft.mesh/default-policy: authenticated}}\n" +
      pod_yaml("a", "198.18.1.1", "app: a", ", annotations: {weft.mesh/mtls-ports: \"8080=permissive\"}") +
      pod_yaml("b", "198.18.1.2", "app: b",
               ", annotations: {weft.mesh/mtls: disable, weft.mesh/mtls-ports: \"9=strict\"}"));
  EXPECT_EQ(port(inbound("a"), 0).mtls, MtlsMode::strict);
  EXPECT_EQ(port(inbound("a"), 8080).mtls, MtlsMode::permissive);
  EXPECT_EQ(port(inbound("b"), 0).mtls, MtlsMode::disable);
  EXPECT_EQ(port(inbound("b"), 9).mtls, MtlsMode::strict);
  EXPECT_EQ(inbound("b").default_policy, policy::DefaultPolicy::authenticated);
}

TEST_F(TranslateInbound, WhereAPodMayConnectIsItsOwnWordOrItsNamespaces) {
  using policy::OutboundPolicy;
  const std::string pods =
      pod_yaml("a", "198.18.1.1", "app: a") +
      pod_yaml("b", "198.18.1.2", "app: b", ", annotations: {weft.mesh/outbound-policy: allow-any}");
  apply(pods);
  EXPECT_EQ(inbound("a").outbound_policy, std::nullopt);
  apply(
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, annotations: "
      "{weft.mesh/outbound-policy: registry-only}}\n");
  EXPECT_EQ(inbound("a").outbound_policy, OutboundPolicy::registry_only);
  EXPECT_EQ(inbound("b").outbound_policy, OutboundPolicy::allow_any);
}

// To those who call it, by whichever of the two says so; and to its own sidecar for what it calls.
TEST_F(TranslateInbound, ThatTheCaseOfNamesMattersReachesBothSides) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello", "{port: 80, targetPort: 8080}") +
        pod_yaml("a", "198.18.1.1", "app: hello", ", annotations: {weft.mesh/preserve-case: \"true\"}") +
        pod_yaml("b", "198.18.1.2", "app: hello"));
  const policy::Service by_pod = service("default/hello:80");
  ASSERT_EQ(by_pod.endpoints.size(), 2u);
  EXPECT_TRUE(by_pod.endpoints[0].preserve_case);
  EXPECT_FALSE(by_pod.endpoints[1].preserve_case);
  EXPECT_TRUE(inbound("a").preserve_case);
  EXPECT_FALSE(inbound("b").preserve_case);
  apply(service_yaml("hello", "198.18.0.10", "app: hello", "{port: 80, targetPort: 8080}",
                     "weft.mesh/preserve-case: \"true\""));
  EXPECT_TRUE(service("default/hello:80").endpoints[1].preserve_case);
}

TEST_F(TranslateInbound, APodsOwnWishesReachItsSidecar) {
  apply(pod_yaml("a", "198.18.1.1", "app: a",
                 ", annotations: {weft.mesh/access-log: all, weft.mesh/log-level: debug,"
                 " weft.mesh/drain-timeout: 3s, weft.mesh/tcp-max-age: 24h}") +
        pod_yaml("b", "198.18.1.2", "app: b"));
  EXPECT_EQ(inbound("a").access_log, policy::AccessLog::all);
  EXPECT_EQ(inbound("a").log_level, "debug");
  EXPECT_EQ(inbound("a").drain_timeout, policy::Millis(3000));
  EXPECT_EQ(inbound("b").drain_timeout, policy::Millis(45000));
  EXPECT_EQ(inbound("a").tcp_max_age, policy::Millis(86'400'000));
  EXPECT_EQ(inbound("b").tcp_max_age, std::nullopt);
}

TEST_F(TranslateInbound, ABrokenAllowWithoutALastGoodOneDeniesItsPortAndNoOther) {
  const auto refused =
      apply(service_yaml("hello", "198.18.0.10", "app: hello", "{port: 80, targetPort: web}",
                         "weft.mesh/allow: nonsense") +
            service_yaml("other", "198.18.0.11", "app: hello", "{port: 90, targetPort: 9090}") +
            pod_yaml("a", "198.18.1.1", "app: hello"));
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(refused[0].object, "Service default/hello");
  EXPECT_EQ(refused[0].error.annotation, "weft.mesh/allow");
  EXPECT_EQ(state_.policies().refused(), 1u);
  const policy::InboundPolicy got = inbound("a");
  EXPECT_TRUE(port(got, 8080).deny_all);
  EXPECT_FALSE(port(got, 9090).deny_all);
  EXPECT_FALSE(port(got, 0).deny_all);
}

TEST_F(TranslateInbound, ABrokenDenyOfThePodDeniesEveryPort) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello") +
        pod_yaml("a", "198.18.1.1", "app: hello", ", annotations: {weft.mesh/deny: nonsense}"));
  const policy::InboundPolicy got = inbound("a");
  for (const policy::InboundPort& entry : got.ports) EXPECT_TRUE(entry.deny_all) << entry.port;
}

}  // namespace
}  // namespace weft::discovery
