#include "base/text.h"
#include "discovery/wrong_view.h"
#include "tests/discovery/translate_fixture.h"

namespace weft::discovery {
namespace {

using policy::Protocol;
using OwnerKind = policy::AddressOwner::Kind;

using Names = std::vector<std::string>;

TEST_F(Translate, AServiceHasItsReadyPodsWithIdentityAndSubset) {
  apply(service_yaml(
            "hello", "198.18.0.10", "app: hello", "{name: http, port: 80, targetPort: web}",
            "weft.mesh/canary: \"v1=90,v2=10\", weft.mesh/timeout: 10s, weft.mesh/retry-attempts: \"2\"") +
        pod_yaml("hello-2", "198.18.1.2", "app: hello, version: v2") +
        pod_yaml("hello-1", "198.18.1.1", "app: hello, version: v1") +
        pod_yaml("other", "198.18.1.9", "app: other"));
  const policy::Service got = service("default/hello:80");
  EXPECT_EQ(got.host, "hello.default.svc.cluster.local");
  EXPECT_EQ(got.protocol, Protocol::http1);
  EXPECT_EQ(got.addresses, std::vector<Address>{at("198.18.0.10:80")});
  EXPECT_EQ(got.timeout, policy::Millis(10000));
  EXPECT_EQ(got.retry.attempts, 2u);
  EXPECT_EQ(got.canary, (std::vector<policy::WeightedSubset>{{"v1", 90}, {"v2", 10}}));
  EXPECT_EQ(got.endpoints,
            (std::vector<policy::Endpoint>{
                {at("198.18.1.1:8080"), std::string(hello_id), "v1", "default/hello-1", "hello-1"},
                {at("198.18.1.2:8080"), std::string(hello_id), "v2", "default/hello-2", "hello-2"}}));
}

TEST_F(Translate, WhatIsDoneOnPurposeAtTheCallersSideReachesIt) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello", "{port: 80}",
                     "weft.mesh/fault: \"delay=5s@10%; abort=503@1%\", weft.mesh/mirror: v2=10%, "
                     "weft.mesh/attempts-header: \"true\""));
  const policy::Service got = service("default/hello:80");
  EXPECT_EQ(got.fault, (policy::FaultInjection{policy::Millis(5000), 10, 503, 1}));
  EXPECT_EQ(got.mirror, (policy::Mirror{"v2", 10}));
  EXPECT_TRUE(got.attempts_header);
}

// What `weft explain` reads from discovery is what discovery holds.
TEST_F(Translate, WrongAnnotationsAndWhatIsInForceGoThroughTheirPage) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello", "{port: 80}", "weft.mesh/timeout: 7s"));
  EXPECT_TRUE(state_.policies().wrong().empty());
  apply(service_yaml("hello", "198.18.0.10", "app: hello", "{port: 80}", "weft.mesh/timeout: 10x"));
  const auto wrong = state_.policies().wrong();
  ASSERT_EQ(wrong.size(), 1u);
  EXPECT_EQ(wrong[0].object, "Service default/hello");
  const auto read = parse_wrong_view(wrong_view(wrong));
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 1u);
  EXPECT_EQ(read->at(0).object, wrong[0].object);
  EXPECT_EQ(read->at(0).errors, wrong[0].errors);
  EXPECT_EQ(read->at(0).in_force, (policy::Annotations{{"weft.mesh/timeout", "7s"}}));
  EXPECT_FALSE(parse_wrong_view("{}"));
  EXPECT_FALSE(parse_wrong_view("no json"));
}

TEST_F(Translate, HowEndpointsAreChosenComesFromTheAnnotations) {
  apply(
      service_yaml("hello", "198.18.0.10", "app: hello", "{port: 80, targetPort: web}",
                   "weft.mesh/load-balancer: \"hash(header:x-user)\", weft.mesh/canary-sticky: cookie(sid), "
                   "weft.mesh/outlier: consecutive=2 max=100%, weft.mesh/limits: pending=7") +
      service_yaml("plain", "198.18.0.11", "app: hello"));
  using policy::CallerKey;
  using policy::LoadBalancer;
  const policy::Service got = service("default/hello:80");
  EXPECT_EQ(got.load_balancer, (LoadBalancer{LoadBalancer::Kind::hash, {CallerKey::Kind::header, "x-user"}}));
  EXPECT_EQ(got.canary_sticky, (CallerKey{CallerKey::Kind::cookie, "sid"}));
  EXPECT_EQ(got.outlier, (policy::OutlierSettings{.consecutive = 2, .max_percent = 100}));
  EXPECT_EQ(got.limits, (policy::ServiceLimits{.pending = 7}));
  const policy::Service plain = service("default/plain:80");
  EXPECT_EQ(plain.load_balancer, LoadBalancer());
  EXPECT_EQ(plain.canary_sticky, std::nullopt);
  EXPECT_EQ(plain.outlier, policy::OutlierSettings());
  EXPECT_EQ(plain.limits, policy::ServiceLimits());
}

TEST_F(Translate, AnotherLabelMakesTheSubsets) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello", "{port: 8080}", "weft.mesh/canary-label: track") +
        pod_yaml("hello-1", "198.18.1.1", "app: hello, version: v1, track: stable"));
  EXPECT_EQ(service("default/hello:8080").endpoints.at(0).subset, "stable");
}

TEST_F(Translate, OnlyReadyPodsOfTheNamespaceThatStillRunAreEndpoints) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello") + pod_yaml("ready", "198.18.1.1", "app: hello") +
        pod_yaml("unready", "198.18.1.2", "app: hello", "", "", false) +
        pod_yaml("leaving", "198.18.1.3", "app: hello", ", deletionTimestamp: \"2026-01-01T00:00:00Z\"") +
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: done, namespace: default, labels: {app: hello}}\n"
        "spec: {containers: [{name: a, ports: [{name: web, containerPort: 1}]}]}\n"
        "status: {phase: Succeeded, podIP: 198.18.1.4, conditions: [{type: Ready, status: \"True\"}]}\n");
  EXPECT_EQ(addresses(service("default/hello:80")), Names{"198.18.1.1:8080"});
}

TEST_F(Translate, WhenOnlyLeavingPodsAreLeftTheyServe) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello") +
        pod_yaml("leaving", "198.18.1.3", "app: hello", ", deletionTimestamp: \"2026-01-01T00:00:00Z\""));
  EXPECT_EQ(addresses(service("default/hello:80")), Names{"198.18.1.3:8080"});
}

TEST_F(Translate, ANamedTargetPortIsLookedUpInEachPod) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello") + pod_yaml("a", "198.18.1.1", "app: hello") +
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: b, namespace: default, labels: {app: hello}}\n"
        "spec: {containers: [{name: a, ports: [{name: web, containerPort: 9090}]}]}\n"
        "status: {phase: Running, podIP: 198.18.1.2, conditions: [{type: Ready, status: \"True\"}]}\n"
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: c, namespace: default, labels: {app: hello}}\n"
        "spec: {containers: [{name: a}]}\n"
        "status: {phase: Running, podIP: 198.18.1.3, conditions: [{type: Ready, status: \"True\"}]}\n");
  EXPECT_EQ(addresses(service("default/hello:80")), (Names{"198.18.1.1:8080", "198.18.1.2:9090"}));
}

TEST_F(Translate, APodWithoutSidecarIsPlaintext) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello") +
        pod_yaml("plain", "198.18.1.1", "app: hello", "", "", true, false));
  EXPECT_EQ(service("default/hello:80").endpoints.at(0).identity, "");
  EXPECT_EQ(owner("198.18.1.1:8080").pod.identity, "");
  EXPECT_FALSE(translate_inbound(state_.view(), "default", "plain")) << "it has nobody to enforce a policy";
}

TEST_F(Translate, APortThatTakesNoTlsIsPlaintext) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello",
                     "{port: 80, targetPort: web}, {port: 81, targetPort: 8081}") +
        pod_yaml("a", "198.18.1.1", "app: hello",
                 ", annotations: {weft.mesh/mtls-ports: \"8080=disable\", weft.mesh/exclude-inbound-ports: "
                 "\"8081\"}"));
  EXPECT_EQ(service("default/hello:80").endpoints.at(0).identity, "");
  EXPECT_EQ(service("default/hello:81").endpoints.at(0).identity, "");
  EXPECT_EQ(owner("198.18.1.1:9999").pod.identity, hello_id);
}

TEST_F(Translate, AnOpaquePortIsTcpWhateverTheServiceDeclares) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello") +
        pod_yaml("a", "198.18.1.1", "app: hello", ", annotations: {weft.mesh/opaque-ports: \"8080\"}"));
  EXPECT_EQ(service("default/hello:80").protocol, Protocol::tcp);
  EXPECT_EQ(owner("198.18.1.1:8080").protocol, Protocol::tcp);
  EXPECT_EQ(port(inbound("a"), 8080).protocol, Protocol::tcp);
}

TEST_F(Translate, ADualStackPodIsOneEndpointInTheServicesFirstFamily) {
  apply(
      "apiVersion: v1\nkind: Service\nmetadata: {name: six, namespace: default}\n"
      "spec: {clusterIPs: [\"2001:2::10\", 198.18.0.10], selector: {app: a}, ports: [{port: 80}]}\n"
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: default, labels: {app: a}}\n"
      "spec: {containers: [{name: a}]}\n"
      "status: {phase: Running, podIPs: [{ip: 198.18.1.1}, {ip: \"2001:2::1\"}],"
      " conditions: [{type: Ready, status: \"True\"}]}\n");
  const policy::Service six = service("default/six:80");
  EXPECT_EQ(addresses(six), Names{"[2001:2::1]:80"});
  EXPECT_EQ(six.addresses.size(), 2u);
}

TEST_F(Translate, AHeadlessServiceHasEndpointsAndNoAddress) {
  apply(service_yaml("hello", "None", "app: hello") + pod_yaml("a", "198.18.1.1", "app: hello"));
  EXPECT_TRUE(service("default/hello:80").addresses.empty());
  EXPECT_EQ(addresses(service("default/hello:80")), Names{"198.18.1.1:8080"});
  EXPECT_EQ(owner("198.18.1.1:8080").pod_service, "default/hello:80");
}

TEST_F(Translate, AServiceWithoutSelectorTakesItsSlices) {
  apply(
      "apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: default}\n"
      "spec: {clusterIP: 198.18.0.10, ports: [{name: sql, port: 5432}]}\n"
      "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
      "metadata: {name: db-1, namespace: default, labels: {kubernetes.io/service-name: db}}\n"
      "ports: [{name: sql, port: 15432}]\n"
      "endpoints: [{addresses: [198.18.1.1]}, {addresses: [203.0.113.1]},"
      " {addresses: [203.0.113.2], conditions: {ready: false}}]\n" +
      pod_yaml("db-0", "198.18.1.1", "app: db"));
  const policy::Service db = service("default/db:5432");
  ASSERT_EQ(addresses(db), (Names{"198.18.1.1:15432", "203.0.113.1:15432"}));
  EXPECT_EQ(db.endpoints[0].identity, hello_id) << "a meshed pod behind a slice is called with TLS";
  EXPECT_EQ(db.endpoints[1].identity, "");
}

TEST_F(Translate, WhatIsNoServiceIsNothing) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello", "{port: 80}, {port: 53, protocol: UDP}"));
  for (const std::string_view name : {"default/hello:81", "default/hello:53", "default/hello:0",
                                      "default/other:80", "hello:80", "default/hello", "", "/:", "a:1/b"})
    EXPECT_FALSE(translate_service(state_.view(), name)) << name;
}

TEST_F(Translate, AddressesHaveTheirOwners) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello") +
        pod_yaml("a", "198.18.1.1", "app: hello, version: v1"));
  EXPECT_EQ(owner("198.18.0.10:80").kind, OwnerKind::service);
  EXPECT_EQ(owner("198.18.0.10:80").service, "default/hello:80");
  EXPECT_EQ(owner("198.18.0.10:0").service, "default/hello:80");
  EXPECT_EQ(owner("198.18.0.10:81").kind, OwnerKind::unknown_inside)
      << "a Service's address, but none of its ports";
  const policy::AddressOwner pod = owner("198.18.1.1:8080");
  EXPECT_EQ(pod.kind, OwnerKind::pod);
  EXPECT_EQ(pod.pod,
            (policy::Endpoint{at("198.18.1.1:8080"), std::string(hello_id), "v1", "default/a", "a"}));
  EXPECT_EQ(pod.protocol, Protocol::http1);
  EXPECT_EQ(pod.pod_service, "default/hello:80");
  EXPECT_EQ(owner("198.18.1.1:0").kind, OwnerKind::pod);
  EXPECT_EQ(owner("198.18.1.1:9").pod_service, "");
  EXPECT_EQ(owner("198.19.255.1:80").kind, OwnerKind::unknown_inside);
  EXPECT_EQ(owner("[2001:2::9]:80").kind, OwnerKind::unknown_inside);
  EXPECT_EQ(owner("203.0.113.1:443").kind, OwnerKind::unknown_outside);
}

TEST_F(Translate, AnAddressOfTwoPodsBelongsToTheReadyOne) {
  apply(pod_yaml("a", "198.18.1.1", "app: a", "", "", false) + pod_yaml("b", "198.18.1.1", "app: b"));
  EXPECT_EQ(owner("198.18.1.1:80").pod.workload, "default/b");
}

TEST_F(Translate, APodOnItsNodesNetworkOwnsNoAddress) {
  apply(pod_yaml("a", "198.18.1.1", "app: a", "", "  hostNetwork: true\n"));
  EXPECT_EQ(owner("198.18.1.1:80").kind, OwnerKind::unknown_inside);
}

// ---- over time ----

TEST_F(Translate, TheLastGoodValueOfEachAnnotationStays) {
  const auto hello = [](std::string_view annotations) {
    return service_yaml("hello", "198.18.0.10", "app: hello", "{port: 80, targetPort: web}", annotations);
  };
  apply(hello("weft.mesh/timeout: 10s, weft.mesh/allow: from=default/world") +
        pod_yaml("a", "198.18.1.1", "app: hello"));
  EXPECT_EQ(apply(hello("weft.mesh/timeout: 10x, weft.mesh/allow: nonsense, weft.mesh/retry-attempts: \"3\""))
                .size(),
            2u);
  EXPECT_EQ(service("default/hello:80").timeout, policy::Millis(10000)) << "wrong: the last good one stays";
  EXPECT_EQ(service("default/hello:80").retry.attempts, 3u) << "a wrong one takes no good one down";
  EXPECT_FALSE(port(inbound("a"), 8080).deny_all);
  EXPECT_EQ(rule_names(port(inbound("a"), 8080)), Names{"service default/hello allow #1"});
  EXPECT_TRUE(apply(hello("weft.mesh/retry-attempts: \"3\"")).empty());
  EXPECT_EQ(service("default/hello:80").timeout, std::nullopt) << "what is taken away is gone";
  EXPECT_TRUE(port(inbound("a"), 8080).rules.empty());
  EXPECT_EQ(state_.policies().refused(), 0u);
}

TEST_F(Translate, AMixedUpNamespaceAndARemovedServiceLeaveNothingBehind) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello", "{port: 80, targetPort: web}",
                     "weft.mesh/deny: from=*") +
        pod_yaml("a", "198.18.1.1", "app: hello"));
  state_.apply({gone("Service", "default", "hello")});
  EXPECT_EQ(inbound("a").ports.size(), 1u);
  EXPECT_EQ(owner("198.18.0.10:80").kind, OwnerKind::unknown_inside);
  state_.apply({gone("Pod", "default", "a")});
  EXPECT_FALSE(translate_inbound(state_.view(), "default", "a"));
  EXPECT_EQ(owner("198.18.1.1:80").kind, OwnerKind::unknown_inside);
}

}  // namespace
}  // namespace weft::discovery
