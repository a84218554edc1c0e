#include "cli/local/pod_plan.h"

#include <linux/capability.h>

#include <algorithm>

#include <gtest/gtest.h>

namespace weft::local {
namespace {

kube::Pod pod_of(const std::string& spec) {
  auto pod = kube::parse_pod(
      R"({"metadata":{"name":"p-1","uid":"u-1","labels":{"app":"web"}},"spec":)" + spec + "}", "default");
  EXPECT_TRUE(pod) << (pod ? "" : pod.error().message);
  return *pod;
}

class Plan : public testing::Test {
 protected:
  Plan() { EXPECT_TRUE(images_.add("web=/usr/bin/web --serve")); }
  Result<ContainerSpec> plan(const std::string& container, const std::string& more = "") {
    pod_ = pod_of(R"({"containers":[)" + container + "]" + more + "}");
    const PlanContext context{images_, programs_,         pod_addresses(5).list(ipv6_),
                              "/v",    "/v/.resolv.conf", "/v/.hosts"};
    return plan_container(pod_, pod_.spec.containers[0], context);
  }
  static bool has(const std::vector<std::string>& list, const std::string& wanted) {
    return std::find(list.begin(), list.end(), wanted) != list.end();
  }

  bool ipv6_ = true;
  ImageMap images_;
  std::vector<Program> programs_{{"weft-sidecar", "/opt/weft/weft-sidecar"}};
  kube::Pod pod_;
};

TEST_F(Plan, AnImagesCommandTakesTheManifestsArguments) {
  EXPECT_EQ(plan(R"({"name":"c","image":"web","args":["-x"]})")->argv,
            (std::vector<std::string>{"/usr/bin/web", "--serve", "-x"}));
}

TEST_F(Plan, AManifestsCommandReplacesTheImages) {
  EXPECT_EQ(plan(R"({"name":"c","image":"unknown","command":["sleep"],"args":["9"]})")->argv,
            (std::vector<std::string>{"sleep", "9"}));
}

TEST_F(Plan, AnUnknownImageSaysWhatToDo) {
  const auto spec = plan(R"({"name":"c","image":"reg/what:1"})");
  ASSERT_FALSE(spec);
  EXPECT_NE(spec.error().message.find("--image reg/what:1=COMMAND"), std::string::npos)
      << spec.error().message;
}

TEST_F(Plan, WeftsOwnImageIsItsOwnProgramMountedReadOnly) {
  const auto spec = plan(R"({"name":"c","image":"ghcr.io/weft/weft-sidecar:0.1.0","args":["run"]})");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->argv, (std::vector<std::string>{"/run/weft/bin/weft-sidecar", "run"}));
  EXPECT_EQ(std::count(spec->mounts.begin(), spec->mounts.end(),
                       (Mount{"/opt/weft/weft-sidecar", "/run/weft/bin/weft-sidecar", true})),
            1);
}

TEST_F(Plan, VariablesSeeEarlierOnesAndThePod) {
  const auto spec = plan(R"j({"name":"c","image":"web","args":["$(A)","$(NOPE)","$$(A)"],"env":[
      {"name":"A","value":"1"},{"name":"B","value":"$(A)2"},
      {"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},
      {"name":"IPS","valueFrom":{"fieldRef":{"fieldPath":"status.podIPs"}}},
      {"name":"APP","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['app']"}}}]})j");
  ASSERT_TRUE(spec);
  for (const char* wanted :
       {"A=1", "B=12", "IP=198.18.0.5", "IPS=198.18.0.5,2001:2:0:1::5", "APP=web", "HOSTNAME=p-1"}) {
    EXPECT_TRUE(has(spec->env, wanted)) << wanted;
  }
  EXPECT_EQ(spec->argv, (std::vector<std::string>{"/usr/bin/web", "--serve", "1", "$(NOPE)", "$(A)"}));
}

TEST_F(Plan, WithoutIpv6APodHasOneAddress) {
  ipv6_ = false;
  const auto spec = plan(R"({"name":"c","image":"web","env":[
      {"name":"IPS","valueFrom":{"fieldRef":{"fieldPath":"status.podIPs"}}}]})");
  ASSERT_TRUE(spec);
  EXPECT_TRUE(has(spec->env, "IPS=198.18.0.5"));
  EXPECT_EQ(hosts_text(pod_, pod_addresses(5).list(false)),
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n198.18.0.5\tp-1\n");
}

TEST_F(Plan, OnlyWhatIsMountedIsMounted) {
  const std::string volumes =
      R"(,"volumes":[{"name":"a","emptyDir":{}},{"name":"b","emptyDir":{}},{"name":"h","hostPath":{"path":"/srv"}}])";
  const auto spec = plan(R"({"name":"c","image":"web","volumeMounts":[
      {"name":"a","mountPath":"/data","readOnly":true},{"name":"h","mountPath":"/srv2","subPath":"x"}]})",
                         volumes);
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->mounts, (std::vector<Mount>{{"/v/.resolv.conf", "/etc/resolv.conf", false},
                                              {"/v/.hosts", "/etc/hosts", false},
                                              {"/v/a", "/data", true},
                                              {"/srv/x", "/srv2", false}}));
}

TEST_F(Plan, AMissingVolumeIsNamed) {
  const auto spec = plan(R"({"name":"c","image":"web","volumeMounts":[{"name":"gone","mountPath":"/x"}]})");
  ASSERT_FALSE(spec);
  EXPECT_NE(spec.error().message.find("gone"), std::string::npos);
}

TEST_F(Plan, TheContainersUserWinsOverThePods) {
  const std::string pod_user = R"(,"securityContext":{"runAsUser":1000,"runAsGroup":1001})";
  const auto own = plan(R"({"name":"c","image":"web","securityContext":{"runAsUser":1337}})", pod_user);
  EXPECT_EQ(own->uid, 1337u);
  EXPECT_EQ(own->gid, 1001u);
  EXPECT_EQ(plan(R"({"name":"c","image":"web"})", pod_user)->uid, 1000u);
  EXPECT_EQ(plan(R"({"name":"c","image":"web"})")->uid, 0u);
}

TEST_F(Plan, CapabilitiesAreTheUsualOnesChangedByTheManifest) {
  const auto bit = [](unsigned capability) { return std::uint64_t{1} << capability; };
  const auto usual = plan(R"({"name":"c","image":"web"})")->capabilities;
  EXPECT_TRUE(usual & bit(CAP_NET_BIND_SERVICE));
  EXPECT_FALSE(usual & bit(CAP_NET_ADMIN));
  EXPECT_FALSE(usual & bit(CAP_SYS_ADMIN));
  EXPECT_EQ(
      plan(
          R"({"name":"c","image":"web","securityContext":{"capabilities":{"drop":["ALL"],"add":["NET_ADMIN"]}}})")
          ->capabilities,
      bit(CAP_NET_ADMIN));
  EXPECT_FALSE(plan(R"({"name":"c","image":"web","securityContext":{"capabilities":{"add":["FLY"]}}})"));
}

TEST(ContainerSpec, IsReadBackAsItWasWritten) {
  const ContainerSpec spec{{"a", "b"}, {"X=1"}, "/w", "host", 7, 8, 0x100000001, true, {{"/s", "/t", true}}};
  EXPECT_EQ(*parse_container_spec(to_json(spec)), spec);
  for (const char* wrong : {"", "{}", "[]", R"({"argv":[]})"})
    EXPECT_FALSE(parse_container_spec(wrong)) << wrong;
}

TEST(VolumeUser, IsTheOneUserThatMountsIt) {
  const kube::Pod one = pod_of(R"({"containers":[{"name":"a","image":"i"},{"name":"b","image":"i",
      "securityContext":{"runAsUser":1337},"volumeMounts":[{"name":"t","mountPath":"/t"}]}]})");
  EXPECT_EQ(volume_user(one, "t"), 1337u);
  const kube::Pod two =
      pod_of(R"({"containers":[{"name":"a","image":"i","volumeMounts":[{"name":"t","mountPath":"/t"}]},
      {"name":"b","image":"i","securityContext":{"runAsUser":1337},"volumeMounts":[{"name":"t","mountPath":"/t"}]}]})");
  EXPECT_EQ(volume_user(two, "t"), std::nullopt);
}

TEST(ResolvConf, SearchesTheOwnNamespaceFirst) {
  EXPECT_EQ(resolv_conf_text("shop"),
            "nameserver 198.18.128.10\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\n"
            "options ndots:5 timeout:1 attempts:3\n");
}

}  // namespace
}  // namespace weft::local
