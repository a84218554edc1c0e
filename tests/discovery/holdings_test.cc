#include "discovery/holdings.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/text.h"
#include "tests/discovery/world.h"

namespace weft::discovery {
namespace {

constexpr std::size_t no_limit = 1 << 20;

// A sidecar's side: what it has after taking every Update.
class Sidecar {
 public:
  void take(const Difference& difference, std::uint64_t nonce) {
    const auto update =
        kube::decode_update(kube::encode_update(nonce, difference.resources, difference.removed));
    ASSERT_TRUE(update) << update.error().message;
    for (const kube::Resource& resource : update->resources) has[resource.name] = resource;
    for (const std::string& name : update->removed)
      EXPECT_EQ(has.erase(name), 1u) << name << " was never there";
    // Whatever an Update brings, no address leads to a Service that is not here.
    for (const auto& [name, resource] : has) {
      const auto* owner = std::get_if<policy::AddressOwner>(&resource.content);
      if (owner == nullptr) continue;
      const std::string& service =
          owner->kind == policy::AddressOwner::Kind::service ? owner->service : owner->pod_service;
      EXPECT_TRUE(service.empty() || has.contains(kube::service_resource_name(service))) << name;
    }
  }
  std::map<std::string, std::string> held() const {
    std::map<std::string, std::string> out;
    for (const auto& [name, resource] : has) out[name] = resource.version;
    return out;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, resource] : has) out.push_back(name);
    return out;
  }
  std::map<std::string, kube::Resource> has;
};

class HoldingsTest : public testing::Test {
 protected:
  // One batch of changes, and what it makes of the resources.
  std::set<std::string> apply(const std::vector<Change>& changes) {
    return resources_.refresh(state_.apply(changes).touched);
  }
  std::set<std::string> apply(std::string_view yaml) { return apply(changes_of(yaml)); }

  State state_{test_mesh()};
  Resources resources_{state_};
  Holdings holdings_{resources_};
  Sidecar sidecar_;
};

using Names = std::vector<std::string>;

Names names_of(const Difference& difference) {
  Names out;
  for (const Encoded& resource : difference.resources) out.push_back(resource->name);
  return out;
}

TEST_F(HoldingsTest, AnAddressComesWithItsServiceInOneUpdate) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello") + pod_yaml("a", "198.18.1.1", "app: hello"));
  ASSERT_TRUE(holdings_.change({{"198.18.0.10:80", "198.18.1.1:8080", "203.0.113.1:443"}, {}}));
  EXPECT_EQ(names_of(holdings_.difference(no_limit)),
            (Names{"service/default/hello:80", "address/198.18.0.10:80", "address/198.18.1.1:8080",
                   "address/203.0.113.1:443"}));
  EXPECT_TRUE(holdings_.difference(no_limit).empty()) << "nothing is sent twice";
}

TEST_F(HoldingsTest, OnlyWhatChangedAndIsHeldIsSent) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello") +
        service_yaml("world", "198.18.0.11", "app: world"));
  ASSERT_TRUE(holdings_.change({{"198.18.0.10:80"}, {}}));
  holdings_.difference(no_limit);
  EXPECT_FALSE(holdings_.affected(apply(pod_yaml("w", "198.18.1.9", "app: world"))));
  EXPECT_TRUE(holdings_.affected(apply(pod_yaml("a", "198.18.1.1", "app: hello"))));
  EXPECT_EQ(names_of(holdings_.difference(no_limit)), Names{"service/default/hello:80"});
}

TEST_F(HoldingsTest, AnAddressThatChangesItsOwnerIsPushed) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello"));
  ASSERT_TRUE(holdings_.change({{"198.18.0.10:80", "198.18.1.1:80"}, {}}));
  sidecar_.take(holdings_.difference(no_limit), 1);
  EXPECT_TRUE(holdings_.affected(apply({gone("Service", "default", "hello")})));
  const Difference after = holdings_.difference(no_limit);
  EXPECT_EQ(names_of(after), Names{"address/198.18.0.10:80"});
  EXPECT_EQ(after.removed, Names{"service/default/hello:80"});
  EXPECT_TRUE(holdings_.affected(apply(pod_yaml("new", "198.18.1.1", "app: x"))));
  EXPECT_EQ(names_of(holdings_.difference(no_limit)), Names{"address/198.18.1.1:80"});
}

TEST_F(HoldingsTest, AfterAReconnectOnlyDifferencesAreSent) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello") +
        service_yaml("world", "198.18.0.11", "app: world"));
  ASSERT_TRUE(holdings_.change({{"198.18.0.10:80", "198.18.0.11:80"}, {}}));
  sidecar_.take(holdings_.difference(no_limit), 1);
  apply(pod_yaml("a", "198.18.1.1", "app: hello"));

  Holdings again(resources_);
  auto held = sidecar_.held();
  held["service/default/long-gone:1"] = "v";
  ASSERT_TRUE(again.hold(held));
  const Difference difference = again.difference(no_limit);
  EXPECT_EQ(names_of(difference), Names{"service/default/hello:80"});
  EXPECT_EQ(difference.removed, Names{"service/default/long-gone:1"});
}

TEST_F(HoldingsTest, AnInboundPolicyGoesToItsOwnPodAlone) {
  apply(pod_yaml("a", "198.18.1.1", "app: a") + pod_yaml("b", "198.18.1.2", "app: b"));
  EXPECT_TRUE(holdings_.difference(no_limit).empty()) << "no pod proved, no policy";
  holdings_.set_pod("default", "a");
  sidecar_.take(holdings_.difference(no_limit), 1);
  EXPECT_EQ(std::get<policy::InboundPolicy>(sidecar_.has.at("inbound").content).workload, "default/a");
  EXPECT_FALSE(holdings_.affected(
      apply(pod_yaml("b", "198.18.1.2", "app: b", ", annotations: {weft.mesh/mtls: strict}"))));
  EXPECT_TRUE(holdings_.affected(
      apply(pod_yaml("a", "198.18.1.1", "app: a", ", annotations: {weft.mesh/mtls: strict}"))));
  EXPECT_EQ(names_of(holdings_.difference(no_limit)), Names{"inbound"});
}

TEST_F(HoldingsTest, APodThatIsGoneKeepsItsPolicyUntilItsSidecarEnds) {
  apply(pod_yaml("a", "198.18.1.1", "app: a"));
  holdings_.set_pod("default", "a");
  holdings_.difference(no_limit);
  apply({gone("Pod", "default", "a")});
  EXPECT_TRUE(holdings_.difference(no_limit).empty());
}

TEST_F(HoldingsTest, TheBundleIsPushedWhenItChanges) {
  EXPECT_FALSE(holdings_.affected({}));
  resources_.set_bundle({{"one"}});
  EXPECT_TRUE(holdings_.affected({})) << "nobody asks for it";
  EXPECT_EQ(names_of(holdings_.difference(no_limit)), Names{"bundle"});
  EXPECT_FALSE(holdings_.affected({}));
  resources_.set_bundle({{"one", "two"}});
  EXPECT_TRUE(holdings_.affected({}));
  EXPECT_EQ(names_of(holdings_.difference(no_limit)), Names{"bundle"});
  EXPECT_TRUE(holdings_.difference(no_limit).empty());
}

TEST_F(HoldingsTest, AWrongAddressChangesNothing) {
  const Status wrong = holdings_.change({{"198.18.0.10:80", "nonsense"}, {}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message.substr(0, 21), "subscribe 'nonsense':");
  EXPECT_EQ(holdings_.addresses(), 0u);
}

TEST_F(HoldingsTest, AddressesOfOneStreamAreBounded) {
  kube::Subscribe many;
  for (unsigned i = 0; i <= addresses_per_stream_max; ++i)
    many.addresses.push_back(str_cat("203.0.", i / 60000, ".1:", i % 60000 + 1));
  EXPECT_EQ(holdings_.change(many).error().code, Code::limit);
}

TEST_F(HoldingsTest, WhatIsNotHeldIsForgotten) {
  apply(service_yaml("hello", "198.18.0.10", "app: hello"));
  ASSERT_TRUE(holdings_.change({{"198.18.0.10:80"}, {}}));
  holdings_.difference(no_limit);
  EXPECT_EQ(resources_.size(), 2u);
  ASSERT_TRUE(holdings_.change({{}, {"198.18.0.10:80"}}));
  EXPECT_EQ(holdings_.difference(no_limit).removed.size(), 2u);
  apply(std::vector<Change>{});
  EXPECT_EQ(resources_.size(), 0u);
}

TEST_F(HoldingsTest, ALargeDifferenceComesInPartsThatAreEachConsistent) {
  std::string yaml;
  kube::Subscribe all;
  for (int i = 0; i < 50; ++i) {
    yaml += service_yaml(str_cat("s", i), str_cat("198.18.0.", i + 1), "app: hello");
    all.addresses.push_back(str_cat("198.18.0.", i + 1, ":80"));
  }
  apply(yaml);
  ASSERT_TRUE(holdings_.change(all));
  std::uint64_t nonce = 0;
  while (true) {
    const Difference part = holdings_.difference(1000);
    if (part.empty()) break;
    sidecar_.take(part, ++nonce);
  }
  EXPECT_GT(nonce, 5u);
  EXPECT_EQ(sidecar_.has.size(), 100u);
}

// ---- the property: pushing differences comes to the same as translating everything ----

class Churn {
 public:
  explicit Churn(std::uint64_t seed) : random_(seed) {}

  std::vector<Change> batch() {
    std::vector<Change> out;
    const std::uint64_t count = 1 + random_.below(4);
    for (std::uint64_t i = 0; i < count; ++i) {
      auto changes = one();
      out.insert(out.end(), changes.begin(), changes.end());
    }
    return out;
  }
  kube::Subscribe subscription() {
    kube::Subscribe out;
    for (std::uint64_t i = random_.below(4); i > 0; --i) out.addresses.push_back(address());
    for (std::uint64_t i = random_.below(2); i > 0; --i) out.unsubscribe.push_back(address());
    return out;
  }
  Random& random() { return random_; }

 private:
  std::string ip() {
    return random_.below(8) == 0 ? str_cat("[2001:2::", random_.below(4), "]")
                                 : str_cat("198.18.0.", random_.below(12));
  }
  std::string address() { return str_cat(ip(), ":", std::array{80, 8080, 0, 9090}[random_.below(4)]); }
  std::string bare_ip() {
    std::string text = ip();
    if (text.front() == '[') text = text.substr(1, text.size() - 2);
    return text;
  }
  std::string pick(std::initializer_list<std::string_view> from) {
    return std::string(*(from.begin() + random_.below(from.size())));
  }

  std::string change_namespace(std::string yaml) {
    const std::string other = "namespace: other";
    if (random_.below(3) == 0) {
      const std::size_t found = yaml.find("namespace: default");
      yaml.replace(found, 18, other);
    }
    return yaml;
  }

  std::vector<Change> one() {
    const std::string app = str_cat("app: a", random_.below(3));
    const std::string name = str_cat("x", random_.below(6));
    switch (random_.below(8)) {
      case 0:
        return {gone("Pod", pick({"default", "other"}), name)};
      case 1:
        return {gone("Service", pick({"default", "other"}), name)};
      case 2:
        return {gone("EndpointSlice", "default", name)};
      case 3:
        return changes_of(str_cat(
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: ", pick({"default", "other"}),
            ", annotations: {",
            pick({"", "weft.mesh/mtls: strict", "weft.mesh/mtls: wrong", "weft.mesh/deny: from=bad/*"}),
            "}}\n"));
      case 4:
        return changes_of(str_cat(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: ", name,
            ", namespace: default, labels: {kubernetes.io/service-name: x", random_.below(6),
            "}}\nports: [{name: http, port: 80}]\nendpoints: [{addresses: [\"", bare_ip(), "\"]}]\n"));
      case 5:
        return changes_of(change_namespace(service_yaml(
            name, random_.below(6) == 0 ? "None" : bare_ip(), random_.below(4) == 0 ? "" : app,
            pick({"{name: http, port: 80, targetPort: web}", "{name: tcp, port: 80}, {name: b, port: 9090}"}),
            pick({"", "weft.mesh/timeout: 1s", "weft.mesh/timeout: wrong",
                  "weft.mesh/allow: from=default/world", "weft.mesh/allow: nonsense",
                  "weft.mesh/canary-label: track"}))));
      default:
        return changes_of(change_namespace(pod_yaml(
            name, bare_ip(), str_cat(app, ", version: v", random_.below(2), ", track: t"),
            pick({"", "", ", deletionTimestamp: \"2026-01-01T00:00:00Z\"",
                  ", annotations: {weft.mesh/opaque-ports: \"8080\"}",
                  ", annotations: {weft.mesh/mtls: disable}"}),
            pick({"", "", "", "  hostNetwork: true\n"}), random_.below(3) > 0, random_.below(4) > 0)));
    }
  }

  SeededRandom random_;
};

std::map<std::string, kube::Content> everything(const State& state, const std::set<Address>& wanted,
                                                std::string_view pod, const kube::Content* last_inbound) {
  std::map<std::string, kube::Content> out;
  const View view = state.view();
  for (const Address& address : wanted) {
    const policy::AddressOwner owner = translate_address(view, address);
    out[kube::resource_name(owner)] = owner;
    const std::string& service =
        owner.kind == policy::AddressOwner::Kind::service ? owner.service : owner.pod_service;
    if (!service.empty()) out[kube::service_resource_name(service)] = *translate_service(view, service);
  }
  if (const auto inbound = translate_inbound(view, "default", pod)) {
    out["inbound"] = *inbound;
  } else if (last_inbound != nullptr) {
    out["inbound"] = *last_inbound;
  }
  return out;
}

TEST(HoldingsProperty, PushedDifferencesComeToTheSameAsTranslatingEverything) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(str_cat("seed ", seed));
    Churn churn(seed);
    State state(test_mesh());
    Resources resources(state);
    Holdings holdings(resources);
    holdings.set_pod("default", "x0");
    Sidecar sidecar;
    std::set<Address> wanted;
    std::uint64_t nonce = 0;
    bool push = true;
    for (int step = 0; step < 60; ++step) {
      push = holdings.affected(resources.refresh(state.apply(churn.batch()).touched)) || push;
      const kube::Subscribe subscription = churn.subscription();
      for (const std::string& text : subscription.unsubscribe) wanted.erase(at(text));
      for (const std::string& text : subscription.addresses) wanted.insert(at(text));
      ASSERT_TRUE(holdings.change(subscription));
      push = push || !subscription.addresses.empty() || !subscription.unsubscribe.empty();
      // A stream that nothing affected is not looked at, and yet must hold what is right.
      if (push) sidecar.take(holdings.difference(no_limit), ++nonce);
      push = false;

      const auto inbound = sidecar.has.find("inbound");
      const auto expected =
          everything(state, wanted, "x0", inbound == sidecar.has.end() ? nullptr : &inbound->second.content);
      std::map<std::string, kube::Content> got;
      for (const auto& [name, resource] : sidecar.has) got[name] = resource.content;
      ASSERT_EQ(got.size(), expected.size()) << "step " << step;
      for (const auto& [name, content] : expected)
        ASSERT_TRUE(got.contains(name) && got[name] == content) << "step " << step << ": " << name;
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(nonce, 5u);
  }
}

}  // namespace
}  // namespace weft::discovery
