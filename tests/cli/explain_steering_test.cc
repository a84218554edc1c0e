// What `weft explain` says of everything that steers a request.
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/explain_world.h"

namespace weft::cli {
namespace {

// A connection that closes under a request is tried again without any annotation; what the application does
// not get twice, the caller's sidecar may still be asked to repeat.
TEST(Explain, AUsedConnectionThatClosesIsTriedAgainWithoutAnyAnnotation) {
  const auto times = [](std::string_view annotations, const Ask& question, std::string_view port = "http") {
    const Explanation one = ask(world_of(service("world", annotations, port)), question);
    for (const RetryView& retry : one.outbound->retries)
      if (retry.failure == "used connection closed before a response")
        return std::pair(retry.times, retry.allowed);
    return std::pair(99u, std::string("not said"));
  };
  const auto twice = [](const char* why) { return std::pair(2u, std::string(why)); };
  EXPECT_EQ(times("", {}), twice("idempotent"));
  EXPECT_EQ(times("", {.method = "POST"}), std::pair(0u, std::string()));
  EXPECT_EQ(times("weft.mesh/retry-attempts: \"2\", weft.mesh/retry-methods: POST", {.method = "POST"}),
            twice("opted-in"));
  EXPECT_EQ(times("", {}, "http2"), std::pair(99u, std::string("not said"))) << "HTTP/2 says what it refused";
  const Explanation one = ask(world_of(service("world", "")), {});
  EXPECT_NE(
      to_text(one).find("used connection closed before a response: tried again up to 2 times (idempotent)\n"
                        "            new connection reset before a response: not tried again\n"),
      std::string::npos)
      << to_text(one);
}

// ---- what steers ----

TEST(Explain, AStickyCallerIsToldItsSubsetAndItsEndpoints) {
  const std::string sticky = "weft.mesh/canary: \"v1=50,v2=50\", weft.mesh/canary-sticky: header(x-user)";
  const World world = world_of(service("world", sticky));
  std::map<std::string, int> callers;
  for (int i = 0; i < 40; ++i) {
    const Explanation one = ask(world, {.headers = {"X-User=u" + std::to_string(i)}});
    ASSERT_TRUE(one.outbound->sticky);
    const std::string& kept = one.outbound->sticky->subset;
    ++callers[kept];
    for (const EndpointView& view : one.outbound->endpoints)
      EXPECT_EQ(view.candidate, view.endpoint.subset == kept);
    EXPECT_DOUBLE_EQ(one.outbound->canary[0].percent, 50) << "shares are those of all callers";
  }
  EXPECT_GT(callers["v1"], 8);
  EXPECT_GT(callers["v2"], 8);
  const Explanation nobody = ask(world, {});
  EXPECT_FALSE(nobody.outbound->sticky->caller);
  EXPECT_NE(to_text(nobody).find("sticky by header(x-user): this request has none, chance decides"),
            std::string::npos);
  EXPECT_TRUE(nlohmann::json::parse(to_json(nobody))["outbound"]["sticky"]["caller"].is_null());
  const Explanation gone =
      ask(world_of(service("world", "weft.mesh/canary: v3=1, weft.mesh/canary-sticky: cookie(sid)")),
          {.headers = {"cookie=a=b; sid=7"}});
  EXPECT_NE(to_text(gone).find("sticky by cookie(sid): 7 has no subset to keep, none has an endpoint"),
            std::string::npos)
      << to_text(gone);
}

TEST(Explain, ByAHashTheEndpointIsNamedWhereNothingIsLeftToChance) {
  const World world = world_of(service("world", "weft.mesh/load-balancer: \"hash(header:x-user)\""));
  const Explanation one = ask(world, {.headers = {"x-user=john"}});
  EXPECT_EQ(one.outbound->steering->caller, "john");
  const std::string endpoint = one.outbound->steering->endpoint;
  ASSERT_NE(endpoint, "");
  EXPECT_NE(to_text(one).find("balancer    hash(header:x-user): john goes to " + endpoint),
            std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(to_json(one))["outbound"]["load_balancer"]["endpoint"], endpoint);
  EXPECT_NE(to_text(ask(world, {})).find("hash(header:x-user): this request has none, chance decides"),
            std::string::npos);
  const World split = world_of(
      service("world", "weft.mesh/load-balancer: \"hash(header:x-user)\", weft.mesh/canary: \"v1=1,v2=1\""));
  EXPECT_EQ(ask(split, {.headers = {"x-user=john"}}).outbound->steering->endpoint, "");
}

TEST(Explain, EverythingThatSteersIsSaidInBothForms) {
  const Explanation plain = ask(world_of(service("world", "")), {});
  const std::string text = to_text(plain);
  for (const char* part :
       {"balancer    least-request\n",
        "outlier     consecutive=5 interval=10s ejection=30s max=50% (at most 2 of 4 endpoints)\n",
        "limits      connections=1024 pending=1024 requests=1024\n"})
    EXPECT_NE(text.find(part), std::string::npos) << part << text;
  for (const char* unset : {"\nfault", "\nmirror", "sticky"}) EXPECT_EQ(text.find(unset), std::string::npos);
  const std::string all =
      "weft.mesh/load-balancer: round-robin, weft.mesh/outlier: consecutive=3 max=0%, weft.mesh/limits: "
      "requests=7, weft.mesh/fault: delay=5s@10%; abort=503@1%, weft.mesh/mirror: v2=10%";
  const Explanation set = ask(world_of(service("world", all)), {});
  for (const char* part : {"balancer    round-robin\n", "max=0% (at most 0 of 4 endpoints)\n", "requests=7\n",
                           "fault       delay=5s@10%; abort=503@1%\n", "mirror      v2=10%\n"})
    EXPECT_NE(to_text(set).find(part), std::string::npos) << part << to_text(set);
  const auto json = nlohmann::json::parse(to_json(set))["outbound"];
  EXPECT_EQ(json["load_balancer"]["policy"], "round-robin");
  EXPECT_EQ(json["outlier"]["max_endpoints"], 0);
  EXPECT_EQ(json["limits"]["requests"], 7);
  EXPECT_EQ(json["fault"]["abort_status"], 503);
  EXPECT_EQ(json["mirror"]["endpoints"].size(), 1u);
  const Explanation opaque = ask(world_of(service("world", all, "tcp-x")), {});
  EXPECT_NE(to_text(opaque).find("limits      connections=1024\n"), std::string::npos) << to_text(opaque);
  EXPECT_EQ(to_text(opaque).find("\nfault"), std::string::npos);
  EXPECT_FALSE(ask(world_of(service("world", "")), {.from = "legacy/old", .to = "world.default:80"})
                   .outbound->steering);
}

TEST(Explain, AFaultOfAllRequestsIsTheirOutcome) {
  const World world = world_of(service("world", "weft.mesh/fault: abort=418@100%"));
  const Outcome outcome = ask(world, {}).outcome;
  EXPECT_FALSE(outcome.allowed);
  EXPECT_EQ(outcome.status, 418);
  EXPECT_EQ(outcome.reason, "fault-injected");
  EXPECT_TRUE(ask(world_of(service("world", "weft.mesh/mirror: v9=5%, weft.mesh/fault: abort=500@99%")), {})
                  .outcome.allowed);
}

}  // namespace
}  // namespace weft::cli
