// Objects as the API server and its controllers fill them in; tokens; a sidecar's admin page.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/local/admin_query.h"
#include "cli/local/control_plane.h"
#include "cli/local/pod_json.h"
#include "cli/local/tokens.h"
#include "cli/local/volumes.h"
#include "tls/jwt.h"

namespace weft::local {
namespace {

using nlohmann::json;

TEST(PodJson, StatusCarriesAddressesReadinessAndDeletion) {
  PodStatus status{"2026-11-22T08:00:00.000Z", "Running", true, {pod_addresses(2).v4, pod_addresses(2).v6}};
  const auto pod = kube::parse_pod(
      pod_status_json(R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}})",
                      status),
      "default");
  ASSERT_TRUE(pod) << pod.error().message;
  EXPECT_TRUE(pod->ready);
  EXPECT_TRUE(pod->terminating());
  EXPECT_EQ(pod->ips.size(), 2u);
  EXPECT_EQ(pod->phase, "Running");
  status = {"", "Pending", false, {}};
  const auto waiting = kube::parse_pod(pod_status_json(pod->json, status), "default");
  EXPECT_FALSE(waiting->ready);
}

TEST(PodJson, AnnotationsAreSetAndRemovedAndTheRestStays) {
  const std::string before = R"({"metadata":{"name":"x","annotations":{"a":"1","b":"2"}},"spec":{"k":[1]}})";
  const json after = json::parse(*annotated_json(before, {{"a", std::nullopt}, {"c", "3"}}));
  EXPECT_EQ(after,
            json::parse(R"({"metadata":{"name":"x","annotations":{"b":"2","c":"3"}},"spec":{"k":[1]}})"));
  EXPECT_EQ(json::parse(*annotated_json("{}", {{"c", "3"}})),
            json::parse(R"({"metadata":{"annotations":{"c":"3"}}})"));
}

TEST(PodJson, ATemplateBecomesANamedPodWithItsHash) {
  const std::string deployment =
      R"({"metadata":{"name":"web"},"spec":{"replicas":2,"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})";
  const std::string hash = template_hash(deployment);
  EXPECT_EQ(template_hash(*scaled_json(deployment, 5)), hash) << "the number of replicas is no roll-out";
  const auto pod =
      kube::parse_pod(*pod_from_template(deployment, {"ns", "web-1", "u", "web", hash}), "default");
  ASSERT_TRUE(pod) << pod.error().message;
  EXPECT_EQ(pod->meta.name, "web-1");
  EXPECT_EQ(pod->meta.name_space, "ns");
  EXPECT_EQ(pod->meta.labels, (kube::Labels{{"app", "web"}, {"pod-template-hash", hash}}));
  std::string other = deployment;
  other.replace(other.find("\"app\":\"web\""), 11, "\"app\":\"wob\"");
  EXPECT_NE(template_hash(other), hash);
}

TEST(ServiceWish, ReadsFamiliesAndAddresses) {
  EXPECT_TRUE(service_wish("{}")->v4);
  EXPECT_FALSE(service_wish("{}")->v6);
  EXPECT_TRUE(service_wish(R"({"spec":{"ipFamilyPolicy":"PreferDualStack"}})")->v6);
  const auto only_v6 = service_wish(R"({"spec":{"ipFamilies":["IPv6"]}})");
  EXPECT_TRUE(only_v6->v6);
  EXPECT_FALSE(only_v6->v4);
  const auto v6_first =
      service_wish(R"({"spec":{"ipFamilies":["IPv6","IPv4"],"ipFamilyPolicy":"RequireDualStack"}})");
  EXPECT_TRUE(v6_first->v4 && v6_first->v6 && v6_first->v6_first);
  EXPECT_FALSE(service_wish(R"({"spec":{"ipFamilies":["IPv4","IPv6"]}})")->v6_first);
  EXPECT_TRUE(service_wish(R"({"spec":{"clusterIPs":["2001:2:0:2::7","198.18.128.7"]}})")->v6_first);
  EXPECT_EQ(service_wish(R"({"spec":{"clusterIP":"198.18.128.99"}})")->cluster_ips.size(), 1u);
  EXPECT_TRUE(service_wish(R"({"spec":{"clusterIP":"None"}})")->cluster_ips.empty());
  EXPECT_FALSE(service_wish(R"({"spec":{"clusterIP":"nonsense"}})"));
}

TEST(Tokens, AreWhatTheCaChecks) {
  const auto issuer = TokenIssuer::create();
  ASSERT_TRUE(issuer);
  const WallTime now{std::chrono::hours(500'000)};
  const TokenRequest request{"ns",      "sa",      "sa-uid", "pod",
                             "pod-uid", "weft-ca", "id-1",   std::chrono::seconds(600)};
  const auto token = issuer->sign(request, now);
  ASSERT_TRUE(token);
  const auto keys = tls::parse_jwks(*issuer->jwks());
  ASSERT_TRUE(keys);
  const auto claims = tls::verify_jwt(*token, *keys, now, {{"weft-ca"}, std::string(token_issuer)});
  ASSERT_TRUE(claims) << claims.error().message;
  EXPECT_EQ(claims->name_space, "ns");
  EXPECT_EQ(claims->service_account, "sa");
  EXPECT_EQ(claims->pod_name, "pod");
  EXPECT_EQ(claims->pod_uid, "pod-uid");
  EXPECT_EQ(claims->subject, "system:serviceaccount:ns:sa");
  EXPECT_EQ(claims->expires, now + std::chrono::seconds(600));
  EXPECT_FALSE(tls::verify_jwt(*token, *keys, now, {{"other"}, ""}));
  EXPECT_FALSE(tls::verify_jwt(*token, *keys, now + std::chrono::minutes(11), {{"weft-ca"}, ""}));
  const auto stranger = TokenIssuer::create();
  EXPECT_FALSE(tls::verify_jwt(*token, *tls::parse_jwks(*stranger->jwks()), now, {{"weft-ca"}, ""}));
}

TEST(Uuid, HasVersionAndVariant) {
  SeededRandom random(7);
  const std::string uuid = make_uuid(random);
  ASSERT_EQ(uuid.size(), 36u);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
  EXPECT_NE(make_uuid(random), uuid);
}

TEST(AdminPage, GivesIdentityAndExpiry) {
  const auto info = parse_certificates(
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
      R"([{"spiffe_id":"spiffe://cluster.local/ns/a/sa/b","not_after":"2026-11-23T08:00:00.000Z"}])");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->spiffe_id, "spiffe://cluster.local/ns/a/sa/b");
  EXPECT_EQ(info->not_after, "2026-11-23T08:00:00.000Z");
  for (const char* wrong :
       {"", "HTTP/1.1 503 x\r\n\r\n[]", "HTTP/1.1 200 OK\r\n\r\n[]", "HTTP/1.1 200 OK\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\n\r\n[{\"spiffe_id\":1}]", "HTTP/1.1 200 OK\r\n"}) {
    EXPECT_FALSE(parse_certificates(wrong)) << wrong;
  }
}

TEST(ControlPlane, IsMadeOfObjectsThatParse) {
  const auto objects = control_plane_objects(StateFolder("/x"));
  EXPECT_EQ(objects.size(), 9u);
  for (const kube::Object& object : objects) EXPECT_EQ(kube::meta_of(object).name_space, "weft-system");
}

}  // namespace
}  // namespace weft::local
