// Services and pods in, iptables rules and DNS names out.
#include <gtest/gtest.h>

#include "base/text.h"
#include "cli/local/endpoints.h"

namespace weft::local {
namespace {

template <class T>
T object(const std::string& json) {
  auto parsed = kube::parse_object(json);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return std::get<T>(*parsed);
}

std::string pod_json(const std::string& name, const std::string& app) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + R"(","labels":{"app":")" + app +
         R"("}},"spec":{"containers":[{"name":"c","image":"i","ports":[{"name":"http","containerPort":8080}]}]}})";
}

std::string service_json(const std::string& name, const std::string& spec) {
  return R"({"apiVersion":"v1","kind":"Service","metadata":{"name":")" + name + R"("},"spec":{)" + spec +
         R"("selector":{"app":"web"},"ports":[{"port":80,"targetPort":"http"}]}})";
}

class Services : public testing::Test {
 protected:
  Services() {
    for (std::uint32_t i = 0; i < 3; ++i) {
      pods_.push_back(object<kube::Pod>(pod_json(str_cat("web-", i), i < 2 ? "web" : "other")));
    }
    add("web", "\"clusterIP\":\"198.18.128.20\",");
    add("dual", R"("clusterIP":"198.18.128.21","clusterIPs":["198.18.128.21","2001:2:0:2::15"],)");
    add("headless", "\"clusterIP\":\"None\",");
    add("away", R"("type":"ExternalName","externalName":"www.example.com",)");
  }
  void add(const std::string& name, const std::string& spec) {
    services_[{"default", name}] = object<kube::Service>(service_json(name, spec));
  }
  EndpointWorld world(std::vector<bool> ready) {
    EndpointWorld world{services_, slices_, {}};
    for (std::uint32_t i = 0; i < pods_.size(); ++i) {
      world.pods.push_back({&pods_[i], pod_addresses(i + 2).list(ipv6_), ready[i]});
    }
    return world;
  }
  const DnsRecord& record(const DnsZone& zone, const std::string& name) {
    return zone.names.at(name + ".default.svc.cluster.local");
  }

  std::map<ObjectKey, kube::Service> services_;
  std::map<ObjectKey, kube::EndpointSlice> slices_;
  std::vector<kube::Pod> pods_;
  bool ipv6_ = true;
};

TEST_F(Services, OnlyReadySelectedPodsAreEndpoints) {
  const std::string rules = iptables_text(make_service_rules(world({true, false, true})), false);
  EXPECT_NE(rules.find("-d 198.18.128.20 -p tcp --dport 80 -j DNAT --to-destination 198.18.0.2:8080\n"),
            std::string::npos)
      << rules;
  EXPECT_EQ(rules.find("198.18.0.3:8080"), std::string::npos);
  EXPECT_EQ(rules.find("198.18.0.4:8080"), std::string::npos);
}

TEST_F(Services, EndpointsShareEvenly) {
  const std::string rules = iptables_text(make_service_rules(world({true, true, true})), false);
  EXPECT_NE(rules.find("--probability 0.5000000000 -j DNAT --to-destination 198.18.0.2:8080\n"),
            std::string::npos);
  EXPECT_NE(rules.find("-d 198.18.128.20 -p tcp --dport 80 -j DNAT --to-destination 198.18.0.3:8080\n"),
            std::string::npos);
}

TEST_F(Services, EachFamilyHasItsOwnRules) {
  const ServiceRules rules = make_service_rules(world({true, false, false}));
  EXPECT_NE(iptables_text(rules, true).find("--to-destination [2001:2:0:1::2]:8080\n"), std::string::npos);
  EXPECT_EQ(iptables_text(rules, true).find("198.18."), std::string::npos);
  EXPECT_EQ(iptables_text(rules, false).find("2001:2:"), std::string::npos);
}

TEST_F(Services, EveryPodMayCallItselfThroughAService) {
  const std::string rules = iptables_text(make_service_rules(world({false, false, false})), false);
  EXPECT_NE(rules.find("-A POSTROUTING -s 198.18.0.2 -d 198.18.0.2 -j MASQUERADE\n"), std::string::npos);
}

TEST_F(Services, WithoutEndpointsAConnectionIsRefused) {
  const std::string rules = iptables_text(make_service_rules(world({false, false, false})), false);
  EXPECT_EQ(rules.find("DNAT"), std::string::npos);
  EXPECT_NE(rules.find("-A FORWARD -d 198.18.128.0/17 -p tcp -j REJECT --reject-with tcp-reset\n"),
            std::string::npos);
}

TEST_F(Services, DnsGivesClusterIpsHeadlessPodsAndAliases) {
  const DnsZone zone = make_zone(world({true, false, true}));
  EXPECT_EQ(record(zone, "web").addresses, std::vector{*IpAddress::parse("198.18.128.20")});
  EXPECT_EQ(record(zone, "dual").addresses.size(), 2u);
  EXPECT_EQ(record(zone, "headless").addresses, pod_addresses(2).list(false)) << "single-stack";
  EXPECT_EQ(record(zone, "away").alias, "www.example.com");
  EXPECT_FALSE(zone.names.contains("web.other.svc.cluster.local"));
}

TEST_F(Services, WithoutIpv6NoNameLeadsThere) {
  ipv6_ = false;
  EXPECT_EQ(record(make_zone(world({true, false, true})), "headless").addresses,
            pod_addresses(2).list(false));
  EXPECT_EQ(iptables_text(make_service_rules(world({true, true, true})), true).find("DNAT"),
            std::string::npos);
}

TEST_F(Services, ATerminatingPodIsNoEndpointThoughItStillRuns) {
  pods_[0].meta.deletion_timestamp = "2026-11-22T08:00:00Z";
  const DnsZone zone = make_zone(world({true, true, true}));
  EXPECT_EQ(record(zone, "headless").addresses, pod_addresses(3).list(false));
}

TEST_F(Services, WithoutASelectorTheSliceSaysWho) {
  services_[{"default", "outside"}] = object<kube::Service>(
      R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"outside"},
          "spec":{"clusterIP":"198.18.128.30","ports":[{"name":"db","port":5432}]}})");
  slices_[{"default", "outside-1"}] = object<kube::EndpointSlice>(
      R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","addressType":"IPv4",
          "metadata":{"name":"outside-1","labels":{"kubernetes.io/service-name":"outside"}},
          "ports":[{"name":"db","port":5433,"protocol":"TCP"}],"endpoints":[{"addresses":["198.19.0.7"]}]})");
  const std::string rules = iptables_text(make_service_rules(world({false, false, false})), false);
  EXPECT_NE(rules.find("-d 198.18.128.30 -p tcp --dport 5432 -j DNAT --to-destination 198.19.0.7:5433\n"),
            std::string::npos)
      << rules;
}

}  // namespace
}  // namespace weft::local
