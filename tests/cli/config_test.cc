#include "cli/config.h"

#include <gtest/gtest.h>

#include "cli/local/admin_query.h"

namespace weft::cli {
namespace {

TEST(Config, ThePageIsTheBodyOfA200) {
  EXPECT_EQ(local::body_of_response("HTTP/1.1 200 OK\r\nx: y\r\n\r\n{}").value_or("none"), "{}");
  const auto refused = local::body_of_response("HTTP/1.1 404 Not Found\r\n\r\n/ready /config\n");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("HTTP/1.1 404 Not Found"), std::string::npos)
      << refused.error().message;
  EXPECT_FALSE(local::body_of_response(""));
}

TEST(Config, ShowsRulesSteeringAndWhoIsEjected) {
  constexpr std::string_view page = R"page({
      "inbound": {"workload": "default/hello-1", "identity": "spiffe://x", "default_policy": "allow",
       "ports": [{"port": 0, "mtls": "strict", "protocol": "detect", "rules": []},
        {"port": 8080, "mtls": "permissive", "protocol": "http1",
         "rules": [{"name": "service default/hello allow #1", "rule": "methods=GET"}]}]},
      "outbound_policy": "registry-only",
      "services": [{"name": "default/world:80", "protocol": "http1", "timeout": "2s",
       "retry": {"attempts": 2, "per_try_timeout": "1s", "budget_percent": 20}, "routes": ["path=/x -> v2"],
       "canary": {"v1": 90, "v2": 10}, "canary_sticky": "cookie(sid)", "load_balancer": "round-robin",
       "outlier": "consecutive=5", "limits": "connections=9", "fault": "abort=503@1%", "mirror": "v2=10%",
       "attempts_header": true, "endpoints": [{"address": "198.18.0.2:8080", "identity": "", "subset": "v1",
       "workload": "default/world-1", "active": 3, "ejected": true}]}],
      "addresses": {"198.18.128.1:80": "service default/world:80"}})page";
  const auto tables = config_tables(page);
  ASSERT_TRUE(tables) << tables.error().message;
  for (const char* part :
       {"INBOUND  default/hello-1, spiffe://x, default-policy allow", "others", "methods=GET",
        "OUTBOUND  outbound-policy registry-only", "SERVICE  default/world:80", "2, a try 1s", "v1=90,v2=10",
        "  route             path=/x -> v2\n", "  sticky by         cookie(sid)\n",
        "  balancer          round-robin\n", "  outlier           consecutive=5\n",
        "  limits            connections=9\n", "  fault             abort=503@1%\n",
        "  mirror            v2=10%\n", "  x-weft-attempts   on responses\n", "ejected",
        "198.18.128.1:80   service default/world:80"})
    EXPECT_NE(tables->find(part), std::string::npos) << part << "\n" << *tables;
}

TEST(Config, APageThatIsNoConfigurationIsSaidToBeNone) {
  EXPECT_FALSE(config_tables("[]"));
  EXPECT_FALSE(config_tables("no json"));
}

}  // namespace
}  // namespace weft::cli
