#include "injector/pod_patch.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "injector/json_patch.h"
#include "injector/pod_parts.h"
#include "kube/manifests.h"
#include "tests/golden/golden.h"

namespace weft::injector {
namespace {

using test::expect_golden;
using test::read_golden;

InjectorConfig test_config() {
  InjectorConfig config;
  config.image = "registry.example/weft-sidecar:1";
  config.ca_address = "weft-ca.weft-system.svc:15012";
  config.discovery_address = "weft-discovery.weft-system.svc:15011";
  config.mesh_cidrs = "198.18.0.0/15,2001:2::/48";
  return config;
}

std::string pod_json(std::string_view yaml) {
  const auto documents = kube::parse_documents(yaml, "pod.yaml");
  if (!documents || documents->size() != 1) {
    ADD_FAILURE() << "no pod in " << yaml;
    return "{}";
  }
  return documents->front().json;
}

Json parsed(const std::string& text) { return Json::parse(text, nullptr, false); }

class GoldenPod : public testing::TestWithParam<std::string> {};

// The patch and what it makes of the pod are as reviewed; a second injection finds nothing to do.
TEST_P(GoldenPod, IsPatchedAsReviewedAndOnlyOnce) {
  const std::string name = "injector/" + GetParam();
  const std::string pod = pod_json(read_golden(name + ".pod.yaml"));
  const auto patch = make_pod_patch(pod, test_config());
  ASSERT_TRUE(patch) << patch.error().message;
  expect_golden(name + ".patch.yaml", kube::to_yaml(patch->operations));
  const auto injected = apply_json_patch(pod, patch->operations);
  ASSERT_TRUE(injected) << injected.error().message;
  expect_golden(name + ".injected.yaml", kube::to_yaml(*injected));

  const auto again = make_pod_patch(*injected, test_config());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->operations, "");
  EXPECT_EQ(again->reason, "the pod has its sidecar already");
}

INSTANTIATE_TEST_SUITE_P(PodPatch, GoldenPod, testing::Values("plain", "probes", "annotations", "scrape"),
                         [](const auto& parameter) { return parameter.param; });

// What the sidecar is told of the application's metrics, and the port that Prometheus is sent to.
TEST(PodPatch, ScrapeAnnotationsLeadToTheSidecarWhereItCanAskTheApplication) {
  struct Case {
    const char* annotations;
    const char* ports;
    const char* endpoint;  // empty: left alone
    bool warned;
  };
  const Case cases[] = {
      {R"("prometheus.io/scrape":"true","prometheus.io/port":"9100","prometheus.io/path":"/s")", "", "9100/s",
       false},
      {R"("prometheus.io/scrape":"true","prometheus.io/port":"9100","prometheus.io/path":"s")", "", "9100/s",
       false},
      {R"("prometheus.io/scrape":"true")", R"({"containerPort":8080},{"containerPort":9})", "8080/metrics",
       false},
      {R"("prometheus.io/scrape":"true")", "", "", true},
      {R"("prometheus.io/scrape":"true","prometheus.io/port":"web")", "", "", true},
      {R"("prometheus.io/scrape":"true","prometheus.io/port":"15006")", "", "", true},
      {R"("prometheus.io/scrape":"true","prometheus.io/port":"9100","prometheus.io/path":"/a b")", "", "",
       true},
      {R"("prometheus.io/scrape":"true","prometheus.io/port":"9100","prometheus.io/scheme":"https")", "", "",
       true},
      {R"("prometheus.io/scrape":"false","prometheus.io/port":"9100")", "", "", false},
      {R"("prometheus.io/port":"9100")", "", "", false},
  };
  for (const Case& one : cases) {
    const std::string pod =
        str_cat(R"({"metadata":{"annotations":{)", one.annotations,
                R"(}},"spec":{"containers":[{"name":"app","image":"app","ports":[)", one.ports, "]}]}}");
    SCOPED_TRACE(pod);
    const auto patch = make_pod_patch(pod, test_config());
    ASSERT_TRUE(patch) << patch.error().message;
    const std::string merged =
        str_cat(R"({"name":"WEFT_APPLICATION_METRICS","value":")", one.endpoint, "\"}");
    const bool wanted = *one.endpoint != '\0';
    EXPECT_EQ(patch->operations.find(merged) != std::string::npos, wanted) << patch->operations;
    EXPECT_EQ(
        patch->operations.find(R"("path":"/metadata/annotations/prometheus.io~1port","value":"15090")") !=
            std::string::npos,
        wanted)
        << patch->operations;
    EXPECT_EQ(!patch->warnings.empty(), one.warned);
  }
}

constexpr std::string_view plain_pod = R"({"spec":{"containers":[{"name":"app","image":"app"}]}})";

std::string injected(std::string_view pod) {
  const auto patch = make_pod_patch(pod, test_config());
  EXPECT_TRUE(patch) << patch.error().message;
  const auto applied = patch ? apply_json_patch(pod, patch->operations) : fail(patch.error());
  EXPECT_TRUE(applied) << applied.error().message;
  return applied ? *applied : "{}";
}

TEST(PodPatch, SidecarRunsAsItsOwnUserWithoutCapabilities) {
  const Json pod = parsed(injected(plain_pod));
  const Json& sidecar = pod["spec"]["initContainers"][1];
  EXPECT_EQ(sidecar["name"], "weft-sidecar");
  EXPECT_EQ(sidecar["restartPolicy"], "Always");
  const Json& security = sidecar["securityContext"];
  EXPECT_EQ(security["runAsUser"], 1337);
  EXPECT_EQ(security["runAsGroup"], 1337);
  EXPECT_EQ(security["runAsNonRoot"], true);
  EXPECT_EQ(security["readOnlyRootFilesystem"], true);
  EXPECT_EQ(security["allowPrivilegeEscalation"], false);
  EXPECT_EQ(security["capabilities"], parsed(R"({"drop":["ALL"]})"));
}

TEST(PodPatch, OnlyTheInitContainerMayChangeTheNetwork) {
  const Json pod = parsed(injected(plain_pod));
  const Json& init = pod["spec"]["initContainers"][0];
  EXPECT_EQ(init["name"], "weft-init");
  EXPECT_FALSE(init.contains("restartPolicy"));
  EXPECT_EQ(init["securityContext"]["capabilities"],
            parsed(R"({"add":["NET_ADMIN","NET_RAW"],"drop":["ALL"]})"));
}

TEST(PodPatch, TokenBundleAndStateAreMountedByTheSidecarAlone) {
  const Json pod = parsed(injected(plain_pod));
  EXPECT_EQ(pod["spec"]["volumes"].size(), 3u);
  EXPECT_EQ(pod["spec"]["initContainers"][1]["volumeMounts"].size(), 3u);
  EXPECT_FALSE(pod["spec"]["initContainers"][0].contains("volumeMounts"));
  EXPECT_FALSE(pod["spec"]["containers"][0].contains("volumeMounts"));
  const Json& token = pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"];
  EXPECT_EQ(token["audience"], "weft-ca");
  EXPECT_EQ(token["expirationSeconds"], 3600);
}

TEST(PodPatch, ProbesThatNameAnotherHostAreLeftAloneWithAWarning) {
  const auto patch = make_pod_patch(
      R"({"spec":{"containers":[{"name":"a","livenessProbe":{"tcpSocket":{"host":"198.18.0.9","port":80}}}]}})",
      test_config());
  ASSERT_TRUE(patch);
  ASSERT_EQ(patch->warnings.size(), 1u);
  EXPECT_EQ(patch->warnings[0],
            "spec.containers[0].livenessProbe names the host 198.18.0.9, so it is left as it is "
            "and bypasses "
            "the sidecar");
  EXPECT_EQ(patch->operations.find("app-health"), std::string::npos);
}

// Another webhook may add a container behind our back and have us called again.
TEST(PodPatch, ProbesOfContainersThatCameLaterFollow) {
  Json pod = parsed(
      injected(R"({"spec":{"containers":[{"name":"app","livenessProbe":{"httpGet":{"port":8080}}}]}})"));
  pod["spec"]["containers"].push_back(
      parsed(R"({"name":"late","readinessProbe":{"httpGet":{"port":8443,"scheme":"HTTPS"}}})"));
  const Json twice = parsed(injected(pod.dump()));
  const auto probes_of = [](const Json& of) {
    for (const Json& variable : of["spec"]["initContainers"][1]["env"]) {
      if (variable["name"] == "WEFT_PROBES") return parsed(variable["value"].get<std::string>());
    }
    return Json();
  };
  const Json probes = probes_of(twice);
  EXPECT_EQ(probes["app/livez"]["port"], 8080);
  EXPECT_EQ(probes["late/readyz"]["scheme"], "HTTPS");
  EXPECT_EQ(twice["spec"]["containers"][1]["readinessProbe"]["httpGet"]["path"], "/app-health/late/readyz");
  const auto third = make_pod_patch(twice.dump(), test_config());
  ASSERT_TRUE(third);
  EXPECT_EQ(third->operations, "");

  Json without = parsed(injected(plain_pod));
  without["spec"]["containers"].push_back(pod["spec"]["containers"][1]);
  EXPECT_EQ(probes_of(parsed(injected(without.dump())))["late/readyz"]["port"], 8443);
}

// A probe of the sidecar's own health port would else ask itself, without end.
TEST(PodPatch, ProbesOfTheHealthPortAreLeftAlone) {
  const auto patch = make_pod_patch(
      R"({"spec":{"containers":[{"name":"a","livenessProbe":{"httpGet":{"port":15021,"path":"/ready"}}}]}})",
      test_config());
  ASSERT_TRUE(patch);
  EXPECT_EQ(patch->operations.find("app-health"), std::string::npos);
}

TEST(PodPatch, WorkersFollowTheCpuLimitRoundedDown) {
  EXPECT_EQ(workers_for_cpu_limit("100m"), 1u);
  EXPECT_EQ(workers_for_cpu_limit("1999m"), 1u);
  EXPECT_EQ(workers_for_cpu_limit("2000m"), 2u);
  EXPECT_EQ(workers_for_cpu_limit("2.9"), 2u);
  EXPECT_EQ(workers_for_cpu_limit("0.5"), 1u);
  EXPECT_EQ(workers_for_cpu_limit("4"), 4u);
  EXPECT_EQ(workers_for_cpu_limit("1000000"), 64u);
  EXPECT_EQ(workers_for_cpu_limit("64Mi"), 0u) << "no number of cores: the sidecar's default stays";
}

struct Refusal {
  std::string name;
  std::string pod;
  std::string message;
};

class RefusedPod : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedPod, IsToldWhy) {
  const auto patch = make_pod_patch(GetParam().pod, test_config());
  ASSERT_FALSE(patch);
  EXPECT_EQ(patch.error().message, GetParam().message);
}

const std::vector<Refusal> refusals = {
    {"HostNetwork", R"({"spec":{"hostNetwork":true,"containers":[{"name":"a"}]}})",
     "hostNetwork pods cannot take part: the node's own network rules would have to change; label the pod "
     "weft.mesh/inject: \"false\""},
    {"ContainerOfTheSidecarsUser",
     R"({"spec":{"containers":[{"name":"a","securityContext":{"runAsUser":1337}}]}})",
     "container a runs as user 1337, which is the sidecar's own: its connections would go past the mesh; set "
     "securityContext.runAsUser to another"},
    {"PodOfTheSidecarsUser",
     R"({"spec":{"securityContext":{"runAsUser":1337},"containers":[{"name":"a","securityContext":{"runAsUser":1}},)"
     R"({"name":"b"}]}})",
     "container b runs as user 1337, which is the sidecar's own: its connections would go past the mesh; set "
     "securityContext.runAsUser to another"},
    {"ContainerName", R"({"spec":{"containers":[{"name":"weft-sidecar"}]}})",
     "spec.containers[0].name: 'weft-sidecar' belongs to weft; give the container another name"},
    {"HalfInjected", R"({"spec":{"initContainers":[{"name":"weft-init"}],"containers":[{"name":"a"}]}})",
     "spec.initContainers[0].name: 'weft-init' belongs to weft; give the container another name"},
    {"VolumeName", R"({"spec":{"containers":[{"name":"a"}],"volumes":[{"name":"weft-token"}]}})",
     "spec.volumes: 'weft-token' belongs to weft; give the volume another name"},
    {"MountOfTheToken", R"({"spec":{"containers":[{"name":"a","volumeMounts":[{"name":"weft-token"}]}]}})",
     "container a mounts weft-token, which only the sidecar may"},
    {"UnnamedContainer", R"({"spec":{"containers":[{"image":"a"}]}})", "spec.containers[0].name: missing"},
    {"NoContainers", R"({"spec":{}})", "spec.containers: missing"},
    {"NoSpec", R"({"metadata":{}})", "spec: missing"},
    {"ContainersOfAnotherType", R"({"spec":{"containers":{}}})",
     "spec.containers: expected a list, found an object"},
    {"AnnotationOfAnotherType",
     R"({"metadata":{"annotations":{"a/b":1}},"spec":{"containers":[{"name":"a"}]}})",
     "metadata.annotations[\"a/b\"]: expected a string, found a number"},
    {"ProbePortWithoutAName",
     R"({"spec":{"containers":[{"name":"a","readinessProbe":{"httpGet":{"port":"web"}}}]}})",
     "spec.containers[0].readinessProbe.httpGet.port: expected a number from 1 to 65535 or the name of a "
     "port of "
     "container a"},
    {"NotJson", R"({"spec":)", "the pod: not JSON, or cut short"},
};

INSTANTIATE_TEST_SUITE_P(PodPatch, RefusedPod, testing::ValuesIn(refusals),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(PodPatch, EveryWrongAnnotationIsNamedWithColumnAndExpectation) {
  const auto patch = make_pod_patch(
      R"({"metadata":{"annotations":{"weft.mesh/mtls":"srtict","weft.mesh/exclude-uids":"1,x"}},)"
      R"("spec":{"containers":[{"name":"a"}]}})",
      test_config());
  ASSERT_FALSE(patch);
  EXPECT_EQ(patch.error().code, Code::invalid);
  EXPECT_NE(patch.error().message.find("weft.mesh/mtls: column 1: expected"), std::string::npos)
      << patch.error().message;
  EXPECT_NE(patch.error().message.find("weft.mesh/exclude-uids: column 3: expected"), std::string::npos)
      << patch.error().message;
}

}  // namespace
}  // namespace weft::injector
