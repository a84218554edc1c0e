#include "kube/manifests.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace weft::kube {
namespace {

std::string json_of(std::string_view yaml) {
  const auto documents = parse_documents(yaml, "x.yaml");
  if (!documents) return documents.error().message;
  std::string out;
  for (const Document& document : *documents) out += document.json;
  return out;
}

std::string first_error(std::string_view yaml) {
  const Manifests manifests = parse_manifests(yaml, "world.yaml");
  return manifests.errors.empty() ? "no error" : manifests.errors[0].message;
}

constexpr std::string_view service_yaml = R"(apiVersion: v1
kind: Service
metadata:
  name: world
  labels: {app: world}
  annotations:
    weft.mesh/canary: v1=90,v2=10
spec:
  clusterIP: 198.18.0.10
  clusterIPs: [198.18.0.10, "2001:2::10"]
  selector: {app: world}
  ports:
  - {name: http, port: 80, targetPort: web}
  - {name: raw, port: 9000, protocol: TCP, appProtocol: kubernetes.io/h2c}
  - port: 53
    protocol: UDP
)";

TEST(Manifests, ReadAService) {
  const Manifests manifests = parse_manifests(service_yaml, "world.yaml");
  ASSERT_TRUE(manifests.errors.empty()) << manifests.errors[0].message;
  const auto& service = std::get<Service>(manifests.objects.at(0));
  EXPECT_EQ(describe(manifests.objects[0]), "Service default/world");
  EXPECT_EQ(service.cluster_ips.size(), 2u);
  EXPECT_EQ(service.cluster_ips[1].to_string(), "2001:2::10");
  EXPECT_EQ(service.selector, (Labels{{"app", "world"}}));
  EXPECT_EQ(service.meta.annotations.at("weft.mesh/canary"), "v1=90,v2=10");
  ASSERT_EQ(service.ports.size(), 3u);
  EXPECT_EQ(service.ports[0].target, (PortRef{0, "web"}));
  EXPECT_EQ(service.ports[1].target, (PortRef{9000, ""})) << "without targetPort it is the port";
  EXPECT_EQ(service.ports[1].app_protocol, "kubernetes.io/h2c");
  EXPECT_EQ(service.ports[2].transport, "UDP");
  EXPECT_EQ(service.meta.origin, (Origin{"world.yaml", 1, 1}));
  EXPECT_NE(service.json.find("\"targetPort\":\"web\""), std::string::npos);
}

TEST(Manifests, ReadAPodInFull) {
  const Manifests manifests = parse_manifests(R"(
apiVersion: v1
kind: Pod
metadata: {name: hello-1, namespace: shop, uid: u-1, deletionTimestamp: "2026-01-01T00:00:00Z"}
spec:
  serviceAccountName: hello
  terminationGracePeriodSeconds: 7
  initContainers:
  - {name: weft-sidecar, image: weft, restartPolicy: Always}
  containers:
  - name: app
    image: echo
    command: [/bin/echo]
    args: [a, "1"]
    env:
    - {name: TEXT, value: hi}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    ports: [{name: web, containerPort: 8080}]
    readinessProbe: {httpGet: {path: /ready, port: web, scheme: HTTPS}, periodSeconds: 3}
    livenessProbe: {tcpSocket: {port: 8080}}
    startupProbe: {grpc: {port: 9000, service: s}}
    lifecycle: {preStop: {exec: {command: [sleep, "1"]}}}
    resources: {requests: {cpu: 1, memory: 64Mi}}
    securityContext: {runAsUser: 1000, capabilities: {add: [NET_ADMIN], drop: [ALL]}}
    volumeMounts: [{name: token, mountPath: /var/run, readOnly: true}]
  volumes:
  - name: token
    projected:
      sources:
      - serviceAccountToken: {audience: weft-ca, expirationSeconds: 900, path: token}
      - configMap: {name: weft-trust-bundle, items: [{key: root, path: root.pem}], optional: true}
  - {name: scratch, emptyDir: {medium: Memory}}
status:
  podIP: 198.18.1.1
  phase: Running
  conditions: [{type: Ready, status: "True"}]
)",
                                              "pod.yaml");
  ASSERT_TRUE(manifests.errors.empty()) << manifests.errors[0].message;
  const auto& pod = std::get<Pod>(manifests.objects.at(0));
  EXPECT_EQ(pod.meta.name_space, "shop");
  EXPECT_TRUE(pod.terminating());
  EXPECT_TRUE(pod.ready);
  EXPECT_TRUE(has_sidecar(pod));
  EXPECT_EQ(pod.ips.at(0).to_string(), "198.18.1.1");
  EXPECT_EQ(pod.spec.service_account_name, "hello");
  EXPECT_EQ(pod.spec.termination_grace_period, std::chrono::seconds(7));
  EXPECT_TRUE(pod.spec.init_containers.at(0).is_native_sidecar());
  const Container& app = pod.spec.containers.at(0);
  EXPECT_EQ(app.args, (std::vector<std::string>{"a", "1"}));
  EXPECT_EQ(app.env.at(1).field_path, "status.podIP");
  EXPECT_EQ(app.readiness_probe->action.kind, Action::Kind::http_get);
  EXPECT_EQ(app.readiness_probe->action.port, (PortRef{0, "web"}));
  EXPECT_TRUE(app.readiness_probe->action.https);
  EXPECT_EQ(app.readiness_probe->period, std::chrono::seconds(3));
  EXPECT_EQ(app.liveness_probe->action.kind, Action::Kind::tcp_socket);
  EXPECT_EQ(app.startup_probe->action.grpc_service, "s");
  EXPECT_EQ(app.pre_stop->command, (std::vector<std::string>{"sleep", "1"}));
  EXPECT_EQ(app.resource_requests, (Labels{{"cpu", "1"}, {"memory", "64Mi"}}));
  EXPECT_EQ(app.security.run_as_user, 1000u);
  EXPECT_TRUE(app.volume_mounts.at(0).read_only);
  const Volume& token = pod.spec.volumes.at(0);
  EXPECT_EQ(token.sources.at(0).audience, "weft-ca");
  EXPECT_EQ(token.sources.at(0).expiration, std::chrono::seconds(900));
  EXPECT_EQ(token.sources.at(1).items.at(0).path, "root.pem");
  EXPECT_EQ(pod.spec.volumes.at(1).sources.at(0).medium, "Memory");
  EXPECT_EQ(resolve_port({0, "web"}, pod.spec), 8080);
  EXPECT_EQ(resolve_port({0, "other"}, pod.spec), std::nullopt);
}

TEST(Manifests, ReadADeployment) {
  const Manifests manifests = parse_manifests(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello}
spec:
  replicas: 3
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello, version: v1}, annotations: {weft.mesh/mtls: strict}}
    spec: {containers: [{name: app, image: echo}]}
)",
                                              "d.yaml");
  ASSERT_TRUE(manifests.errors.empty()) << manifests.errors[0].message;
  const auto& deployment = std::get<Deployment>(manifests.objects.at(0));
  EXPECT_EQ(deployment.replicas, 3u);
  EXPECT_EQ(deployment.pod_template.annotations.at("weft.mesh/mtls"), "strict");
  EXPECT_EQ(deployment.pod_template.spec.service_account_name, "default");
}

TEST(Manifests, UnfoldAList) {
  const Manifests manifests = parse_manifests(R"({"apiVersion":"v1","kind":"List","items":[
    {"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}},
    {"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"b"}}]})",
                                              "list.json");
  ASSERT_EQ(manifests.objects.size(), 2u);
  EXPECT_EQ(describe(manifests.objects[0]), "Namespace a");
  EXPECT_EQ(describe(manifests.objects[1]), "ServiceAccount default/b");
}

TEST(Manifests, SkipUnknownKindsWithANote) {
  const Manifests manifests = parse_manifests(
      "---\n# nothing here\n---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\n",
      "i.yaml");
  EXPECT_TRUE(manifests.errors.empty());
  ASSERT_EQ(manifests.skipped.size(), 1u);
  EXPECT_EQ(manifests.skipped[0], "i.yaml:4:1: Ingress default/web: skipped, weft does not use this kind");
}

TEST(Manifests, ErrorsNameFileLineColumnDocumentAndField) {
  struct Case {
    std::string_view from;
    std::string_view to;
    std::string_view error;
  };
  const Case cases[] = {
      {"port: 80,", "port: x,",
       "world.yaml:13:24: Service default/world: spec.ports[0].port: expected a number 1 to 65535, found "
       "'x'"},
      {"port: 80,", "port: 70000,",
       "world.yaml:13:24: Service default/world: spec.ports[0].port: expected a number 1 to 65535, found the "
       "number "
       "70000"},
      {"name: http, port: 80", "name: http",
       "world.yaml:13:5: Service default/world: spec.ports[0].port: expected a number 1 to 65535, found "
       "nothing"},
      {"targetPort: web", "targetPort: \"8080\"",
       "world.yaml:13:40: Service default/world: spec.ports[0].targetPort: expected a port number or the "
       "name of a "
       "container port, found '8080'"},
      {"v1=90,v2=10", "on",
       "world.yaml:7:23: Service default/world: metadata.annotations[\"weft.mesh/canary\"]: expected text, "
       "found the "
       "boolean true; put it in quotes"},
      {"labels: {app: world}", "labels: {app: 1.5}",
       "world.yaml:5:17: Service default/world: metadata.labels.app: expected text, found the number 1.5; "
       "put it in "
       "quotes"},
      {"clusterIP: 198.18.0.10\n", "clusterIP: [a]\n",
       "world.yaml:9:14: Service default/world: spec.clusterIP: expected text, found a list"},
      {"[198.18.0.10, ", "[198.18.0.300, ",
       "world.yaml:10:16: Service default/world: spec.clusterIPs[0]: expected an IP address, found "
       "'198.18.0.300'"},
      {"name: world\n", "name: ../world\n",
       "world.yaml:4:9: Service default/../world: metadata.name: expected a name of lower-case letters, "
       "digits, dashes "
       "and dots, found '../world'"},
      {"port: 9000", "port: 80",
       "world.yaml:13:3: Service default/world: spec.ports: port 80 is there twice"},
      {"selector: {app: world}", "selector: [app]",
       "world.yaml:11:13: Service default/world: spec.selector: expected a mapping, found a list"},
      {"kind: Service\n", "", "world.yaml:1:1: object without a kind: expected apiVersion and kind"},
  };
  for (const Case& test : cases) {
    std::string yaml(service_yaml);
    const std::size_t at = yaml.find(test.from);
    ASSERT_NE(at, std::string::npos) << test.from;
    yaml.replace(at, test.from.size(), test.to);
    EXPECT_EQ(first_error(yaml), test.error);
  }
}

TEST(Manifests, AnErrorInASecondDocumentSaysSoAndKeepsTheFirst) {
  const Manifests manifests = parse_manifests(
      str_cat(service_yaml, "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {}\n"), "a.yaml");
  EXPECT_EQ(manifests.objects.size(), 1u);
  ASSERT_EQ(manifests.errors.size(), 1u);
  EXPECT_EQ(manifests.errors[0].message,
            "a.yaml:21:7: document 2: Pod default/p: spec.containers: expected at least one container, found "
            "nothing");
}

TEST(Manifests, SyntaxErrorsHaveAPlace) {
  EXPECT_EQ(first_error("a: [1, 2\nb: c\n").substr(0, 13), "world.yaml:2:");
  EXPECT_EQ(first_error("a: b\n c: d: e\n").substr(0, 11), "world.yaml:");
  EXPECT_EQ(first_error("a: 1\na: 2\n"), "world.yaml:2:1: key a is there twice");
  EXPECT_EQ(first_error("{\"a\": 1, }}").substr(0, 13), "world.yaml:1:");
  EXPECT_EQ(first_error("just text"), "world.yaml:1:1: expected a Kubernetes object, found no mapping");
  EXPECT_EQ(first_error("a: *nowhere").substr(0, 15), "world.yaml:1:4:");
  EXPECT_EQ(first_error("a: !custom x"), "world.yaml:1:4: unknown tag !custom");
  EXPECT_EQ(first_error("a: .inf"),
            "world.yaml:1:4: the number .inf cannot be said in JSON; put it in quotes if text is meant");
}

TEST(Manifests, ScalarsMeanWhatTheyMeanToKubectl) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"enabled", "\"enabled\""},
      {"true", "true"},
      {"True", "true"},
      {"yes", "true"},
      {"on", "true"},
      {"y", "true"},
      {"N", "false"},
      {"off", "false"},
      {"tRue", "\"tRue\""},
      {"\"true\"", "\"true\""},
      {"'80'", "\"80\""},
      {"80", "80"},
      {"-5", "-5"},
      {"+5", "5"},
      {"0644", "420"},
      {"0o17", "15"},
      {"0x1F", "31"},
      {"0b101", "5"},
      {"1_000", "1000"},
      {"08", "8"},
      {"1.0", "1"},
      {"1.5", "1.5"},
      {"1e3", "1000"},
      {"1.2.3", "\"1.2.3\""},
      {"190:20:30", "\"190:20:30\""},
      {"2026-01-01", "\"2026-01-01\""},
      {"null", "null"},
      {"~", "null"},
      {"", "null"},
      {"!!str 80", "\"80\""},
      {"198.18.0.1", "\"198.18.0.1\""},
      {"18446744073709551615", "18446744073709551615"},
  };
  for (const auto& [yaml, json] : cases)
    EXPECT_EQ(json_of(str_cat("a: ", yaml, "\n")), str_cat("{\"a\":", json, "}")) << yaml;
}

TEST(Manifests, AliasesAndMergesAreExpanded) {
  EXPECT_EQ(json_of("a: &x {k: 1}\nb: *x\n"), R"({"a":{"k":1},"b":{"k":1}})");
  EXPECT_EQ(json_of("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\n"), R"({"a":{"k":1,"l":2},"b":{"k":3,"l":2}})");
}

TEST(Manifests, ABombOfAliasesIsRefused) {
  std::string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    yaml += str_cat("a", i, ": &a", i, " [");
    for (int k = 0; k < 10; ++k) yaml += str_cat(k > 0 ? ", " : "", "*a", i - 1);
    yaml += "]\n";
  }
  EXPECT_NE(first_error(yaml).find("once its aliases are expanded"), std::string::npos) << first_error(yaml);
  std::string fat = str_cat("a: &a ", std::string(1024 * 1024, 'x'), "\nb: [");
  for (int i = 0; i < 20; ++i) fat += "*a, ";
  EXPECT_NE(first_error(fat + "]\n").find("bytes once its aliases are expanded"), std::string::npos);
}

TEST(Manifests, DeepNestingIsRefused) {
  EXPECT_NE(first_error(std::string(70, '[') + std::string(70, ']')).find("nested deeper than 64"),
            std::string::npos);
  EXPECT_FALSE(parse_documents(std::string(100'000, '['), "x"));
  EXPECT_FALSE(parse_documents("{\"a\":" + std::string(100'000, '['), "x"));
  EXPECT_EQ(parse_object(std::string(100, '[')).error().message, "nested deeper than 64");
}

TEST(Manifests, YamlOutputReadsBackAsTheSameJson) {
  const std::string json =
      R"({"a":"true","b":"80","c":80,"d":null,"e":["x",{"f":""}],"g":"line\nline\n","h":"no end\nhere","i":" lead","j":{},"k":[],"l":"a: b","m":1.5,"n":false,"o":"tab\tx\n","p":"null","q":"#x","r":"ü"})";
  EXPECT_EQ(json_of(to_yaml(json)), json) << to_yaml(json);
}

}  // namespace
}  // namespace weft::kube
