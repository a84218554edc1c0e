#include "sidecar/config_store.h"

#include <gtest/gtest.h>

namespace weft::sidecar {
namespace {

kube::Resource resource(const kube::Content& content, const std::string& version = "1") {
  return kube::Resource{kube::resource_name(content), version, content};
}

policy::Service service(const std::string& name) {
  policy::Service service;
  service.name = name;
  return service;
}

policy::AddressOwner owner(const std::string& address, const std::string& service) {
  policy::AddressOwner owner;
  owner.address = Address::parse(address).value();
  owner.kind = policy::AddressOwner::Kind::service;
  owner.service = service;
  return owner;
}

policy::InboundPolicy inbound() {
  policy::InboundPolicy policy;
  policy.workload = "default/hello";
  policy.ports = {policy::InboundPort{}};
  return policy;
}

class ConfigStoreTest : public testing::Test {
 protected:
  policy::EndpointRegistry endpoints_;
  int changes_ = 0;
  ConfigStore store_{"cluster.local", endpoints_,
                     [this](const std::shared_ptr<const Config>&) { ++changes_; }};
  const Address web_ = Address::parse("198.18.128.1:80").value();
};

TEST_F(ConfigStoreTest, TakesAnOwnerAndItsServiceTogether) {
  ASSERT_TRUE(store_.apply(kube::Update{
      1, {resource(owner("198.18.128.1:80", "default/web:80")), resource(service("default/web:80"))}, {}}));
  const Config& config = *store_.current();
  ASSERT_NE(config.owner(web_), nullptr);
  EXPECT_NE(config.service("default/web:80"), nullptr);
  EXPECT_EQ(changes_, 1);
}

TEST_F(ConfigStoreTest, RefusesAnOwnerWhoseServiceIsMissingAndKeepsTheStateBefore) {
  ASSERT_TRUE(store_.apply(kube::Update{1, {resource(inbound())}, {}}));
  const auto before = store_.current();
  const Status refused =
      store_.apply(kube::Update{2, {resource(owner("198.18.128.1:80", "default/web:80"))}, {}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("default/web:80"), std::string::npos);
  EXPECT_EQ(store_.current(), before);
}

TEST_F(ConfigStoreTest, RefusesToRemoveAServiceThatIsStillPointedAt) {
  ASSERT_TRUE(store_.apply(kube::Update{
      1, {resource(owner("198.18.128.1:80", "default/web:80")), resource(service("default/web:80"))}, {}}));
  EXPECT_FALSE(store_.apply(kube::Update{2, {}, {"service/default/web:80"}}));
  EXPECT_NE(store_.current()->service("default/web:80"), nullptr);
}

TEST_F(ConfigStoreTest, KeepsTheLoadAndTheRetryBudgetOverAChangeOfTheService) {
  ASSERT_TRUE(store_.apply(kube::Update{1, {resource(service("default/web:80"))}, {}}));
  const auto load = store_.current()->service("default/web:80")->load;
  policy::Service changed = service("default/web:80");
  changed.timeout = policy::Millis(5);
  ASSERT_TRUE(store_.apply(kube::Update{2, {resource(changed, "2")}, {}}));
  EXPECT_EQ(store_.current()->service("default/web:80")->load, load);
  EXPECT_EQ(store_.current()->service("default/web:80")->config().timeout, policy::Millis(5));
}

TEST_F(ConfigStoreTest, AsksForAnAddressOnceUntilItIsAnswered) {
  EXPECT_TRUE(store_.ask(web_));
  EXPECT_FALSE(store_.ask(web_));
  EXPECT_EQ(store_.unanswered(), std::vector<std::string>{"198.18.128.1:80"});
  ASSERT_TRUE(store_.apply(kube::Update{
      1, {resource(owner("198.18.128.1:80", "default/web:80")), resource(service("default/web:80"))}, {}}));
  EXPECT_FALSE(store_.ask(web_));
  EXPECT_TRUE(store_.unanswered().empty());
}

TEST_F(ConfigStoreTest, ComesBackFromItsCacheAsItWas) {
  ASSERT_TRUE(
      store_.apply(kube::Update{1,
                                {resource(inbound()), resource(owner("198.18.128.1:80", "default/web:80")),
                                 resource(service("default/web:80"), "7")},
                                {}}));
  ConfigStore restarted("cluster.local", endpoints_, [](const std::shared_ptr<const Config>&) {});
  ASSERT_TRUE(restarted.load(store_.save()));
  EXPECT_EQ(restarted.held(), store_.held());
  EXPECT_NE(restarted.current()->inbound, nullptr);
}

TEST_F(ConfigStoreTest, StaysEmptyWhenTheCacheIsDamaged) {
  EXPECT_FALSE(store_.load("\xff\xff damaged"));
  EXPECT_TRUE(store_.held().empty());
}

}  // namespace
}  // namespace weft::sidecar
