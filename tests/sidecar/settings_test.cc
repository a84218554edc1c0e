#include "sidecar/settings.h"

#include <map>

#include <gtest/gtest.h>

namespace weft::sidecar {
namespace {

using Environment = std::map<std::string, std::string, std::less<>>;

Result<Settings> parse(Environment environment) {
  return parse_settings(
      [environment = std::move(environment)](std::string_view name) -> std::optional<std::string> {
        const auto found = environment.find(name);
        return found == environment.end() ? std::nullopt : std::optional<std::string>(found->second);
      });
}

Environment complete() {
  return {{"POD_NAME", "hello-1"},
          {"POD_NAMESPACE", "default"},
          {"SERVICE_ACCOUNT", "hello"},
          {"POD_IPS", "198.18.0.2,2001:2::2"}};
}

TEST(Settings, TakeWhatTheInjectorWritesAndDefaultTheRest) {
  const auto settings = parse(complete());
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->pod_ips.size(), 2u);
  EXPECT_EQ(settings->ca.host, "weft-ca.weft-system.svc");
  EXPECT_EQ(settings->ca.port, 15012);
  EXPECT_EQ(settings->discovery.port, 15011);
  EXPECT_EQ(settings->workers, 2u);
  EXPECT_EQ(settings->outbound_policy, policy::OutboundPolicy::allow_any);
}

TEST(Settings, NameTheVariableThatIsMissing) {
  for (const char* name : {"POD_NAME", "POD_NAMESPACE", "SERVICE_ACCOUNT", "POD_IPS"}) {
    Environment environment = complete();
    environment.erase(name);
    const auto settings = parse(environment);
    ASSERT_FALSE(settings) << name;
    EXPECT_NE(settings.error().message.find(name), std::string::npos);
  }
}

TEST(Settings, RefuseWrongValuesByName) {
  const std::pair<const char*, const char*> wrong[] = {
      {"POD_IPS", "198.18.0"},        {"WEFT_MESH_CIDRS", "198.18.0.0/40"}, {"WEFT_CONCURRENCY", "0"},
      {"WEFT_CONCURRENCY", "many"},   {"WEFT_LOG_LEVEL", "loud"},           {"WEFT_OUTBOUND_POLICY", "maybe"},
      {"WEFT_CA_ADDRESS", "weft-ca"}, {"WEFT_DISCOVERY_ADDRESS", ":15011"}};
  for (const auto& [name, value] : wrong) {
    Environment environment = complete();
    environment[name] = value;
    const auto settings = parse(environment);
    ASSERT_FALSE(settings) << name << "=" << value;
    EXPECT_NE(settings.error().message.find(name), std::string::npos) << settings.error().message;
  }
}

}  // namespace
}  // namespace weft::sidecar
