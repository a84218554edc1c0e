#include <map>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cli/explain_world.h"

namespace weft::cli {
namespace {

// ---- who may ----

TEST(Explain, NamesTheRuleThatDecidesAndWhatKeepsTheOthersFromMatching) {
  const World world = world_of(
      service("world",
              "weft.mesh/allow: \"from=default/hello methods=GET paths=/api/*; from=default/world\", "
              "weft.mesh/deny: \"paths=/api/secret/*\""));
  struct Case {
    Ask ask;
    bool allowed;
    int status;
    std::string reason;
    std::string rule;
  };
  const std::vector<Case> cases{
      {{.path = "/api/x"}, true, 0, "", "service default/world allow #1"},
      {{.from = "default/world", .method = "POST"}, true, 0, "", "service default/world allow #2"},
      {{.method = "POST", .path = "/api/x"}, false, 403, "rbac-denied", ""},
      {{.path = "/api/secret/1"}, false, 403, "rbac-denied", "service default/world deny #1"},
      {{.path = "/api/x/../secret/1"}, false, 403, "rbac-denied", "service default/world deny #1"},
      {{.path = "/api/a%2Fb"}, false, 400, "unsafe-path", ""},
      {{.from = "default/idle", .path = "/api/x"}, false, 403, "rbac-denied", ""},
      {{.from = "legacy/old", .to = "world.default:80", .path = "/api/x"}, false, 403, "mtls-required", ""},
      {{.from = "anonymous", .path = "/api/x"}, false, 403, "mtls-required", ""},
  };
  for (const Case& one : cases) {
    const Outcome outcome = ask(world, one.ask).outcome;
    SCOPED_TRACE(one.ask.from + " " + one.ask.method + " " + one.ask.path + ": " + outcome.why);
    EXPECT_EQ(outcome.allowed, one.allowed);
    EXPECT_EQ(outcome.status, one.status);
    EXPECT_EQ(outcome.reason, one.reason);
    EXPECT_EQ(outcome.rule, one.rule);
  }
  const Explanation posted = ask(world, {.method = "POST", .path = "/api/x"});
  ASSERT_EQ(posted.receivers.size(), 1u);
  ASSERT_EQ(posted.receivers[0].rules.size(), 3u);
  EXPECT_EQ(posted.receivers[0].workloads.size(), 4u);
  const std::map<std::string, std::string> why_not{{"service default/world allow #1", "methods"},
                                                   {"service default/world allow #2", "from"},
                                                   {"service default/world deny #1", "paths"}};
  for (const RuleTrial& rule : posted.receivers[0].rules) {
    EXPECT_FALSE(rule.matches) << rule.name;
    EXPECT_EQ(rule.why_not, why_not.at(rule.name));
  }
}

TEST(Explain, AnAuditRuleIsNamedWhereItMatchesWhatWasAllowed) {
  const World world = world_of(service("world", "weft.mesh/audit: \"methods=GET\""));
  const Outcome outcome = ask(world, {}).outcome;
  EXPECT_TRUE(outcome.allowed);
  EXPECT_EQ(outcome.rule, "service default/world audit #1");
}

TEST(Explain, OpaqueTcpIsClosedWhereHttpRulesGovern) {
  const World closed = world_of(service("world", "weft.mesh/allow: \"methods=GET\"", "tcp-x"));
  EXPECT_EQ(ask(closed, {}).outcome.reason, "http-rule-on-opaque");
  const World open = world_of(service("world", "weft.mesh/allow: \"from=default/hello\"", "tcp-x"));
  EXPECT_EQ(ask(open, {}).outcome.rule, "service default/world allow #1");
  const Explanation refused = ask(open, {.from = "default/world"});
  EXPECT_EQ(refused.outcome.reason, "rbac-denied");
  EXPECT_EQ(refused.outcome.status, 0);
  EXPECT_FALSE(refused.outbound->http);
}

TEST(Explain, ACallerWithoutSidecarIsAnonymousAndHasNoRoute) {
  const World world = world_of(service("world", "weft.mesh/canary: \"v1=1\", weft.mesh/timeout: 1s"));
  const Explanation plain = ask(world, {.from = "legacy/old", .to = "world.default:80"});
  EXPECT_EQ(plain.caller.identity, "");
  EXPECT_TRUE(says(plain.notes, "have no sidecar"));
  EXPECT_TRUE(plain.outbound->canary.empty());
  EXPECT_FALSE(plain.outbound->timeout);
  EXPECT_EQ(plain.outcome.reason, "mtls-required");
}

TEST(Explain, AnUnknownServiceAccountIsDecidedForAndSaidToBeUnknown) {
  const World world = world_of(service("world", ""));
  const Explanation unknown = ask(world, {.from = "default/helo"});
  EXPECT_TRUE(unknown.outcome.allowed);
  EXPECT_TRUE(says(unknown.notes, "no ServiceAccount default/helo is known"));
  EXPECT_TRUE(says(unknown.notes, "default/hello (did you mean it?)"));
  EXPECT_TRUE(says(ask(world, {.from = "default/idle"}).notes, "no pod runs as default/idle"));
}

// ---- where to ----

TEST(Explain, TheFirstRuleWithALivingSubsetIsTakenAndTheOthersSaySo) {
  const World world = world_of(service(
      "world",
      "weft.mesh/canary: \"v1=90,v2=10\", "
      "weft.mesh/routes: \"path=/x -> v1; header(user)=john -> v3; header(user)=john & method=GET -> v2\""));
  const Explanation john = ask(world, {.headers = {"User=john"}});
  ASSERT_EQ(john.outbound->routes.size(), 3u);
  EXPECT_FALSE(john.outbound->routes[0].matches);
  EXPECT_TRUE(john.outbound->routes[1].matches);
  EXPECT_FALSE(john.outbound->routes[1].taken);
  EXPECT_TRUE(john.outbound->routes[2].taken);
  EXPECT_EQ(john.outbound->routes[2].rule, "header(user)=john & method=GET -> v2");
  EXPECT_EQ(john.outbound->subset, "v2");
  std::size_t candidates = 0;
  for (const EndpointView& one : john.outbound->endpoints) {
    EXPECT_EQ(one.candidate, one.endpoint.subset == "v2");
    candidates += one.candidate ? 1 : 0;
  }
  EXPECT_EQ(candidates, 1u);
}

TEST(Explain, SharesOfTheCanaryAreThoseOfTheSubsetsThatAreThere) {
  const World world = world_of(service("world", "weft.mesh/canary: \"v1=60,v2=20,v3=20\""));
  const Explanation split = ask(world, {});
  ASSERT_EQ(split.outbound->canary.size(), 3u);
  EXPECT_DOUBLE_EQ(split.outbound->canary[0].percent, 75);
  EXPECT_DOUBLE_EQ(split.outbound->canary[1].percent, 25);
  EXPECT_DOUBLE_EQ(split.outbound->canary[2].percent, 0);
}

TEST(Explain, AnEjectedEndpointIsNoCandidateWhileAnotherIsLeft) {
  World world = world_of(service("world", "weft.mesh/canary: \"v1=50,v2=50\""));
  const Explanation asked = ask(world, {});
  for (const EndpointView& one : asked.outbound->endpoints)
    if (one.endpoint.subset == "v2") world.ejected.insert(one.endpoint.address);
  const Explanation without = ask(world, {});
  EXPECT_DOUBLE_EQ(without.outbound->canary[0].percent, 100);
  for (const EndpointView& one : without.outbound->endpoints)
    EXPECT_EQ(one.candidate, one.endpoint.subset == "v1") << one.endpoint.workload;
}

TEST(Explain, RetriesAreCountedByWhatAllowsThem) {
  const World world = world_of(service(
      "world", "weft.mesh/retry-attempts: \"2\", weft.mesh/per-try-timeout: 2s, weft.mesh/timeout: 10s"));
  const auto times = [&world](const Ask& question, std::string_view failure) {
    const Explanation one = ask(world, question);
    for (const RetryView& retry : one.outbound->retries)
      if (retry.failure == failure) return std::pair(retry.times, retry.allowed);
    ADD_FAILURE() << "no " << failure;
    return std::pair(0u, std::string());
  };
  EXPECT_EQ(times({}, "502, 503, 504"), std::pair(2u, std::string("idempotent")));
  EXPECT_EQ(times({}, "per-try time-out"), std::pair(2u, std::string("idempotent")));
  EXPECT_EQ(times({}, "500"), std::pair(0u, std::string()));
  EXPECT_EQ(times({.method = "POST"}, "502, 503, 504"), std::pair(0u, std::string()));
  EXPECT_EQ(times({.method = "POST"}, "no connection"), std::pair(2u, std::string("proved")));
  EXPECT_EQ(ask(world, {}).outbound->timeout, policy::Millis(10'000));
}

TEST(Explain, AServiceWithoutAReadyEndpointAnswers503) {
  const World world = world_of(service("nothing", "", "http", "app: nobody"));
  const Outcome outcome = ask(world, {.to = "nothing:80"}).outcome;
  EXPECT_EQ(outcome.status, 503);
  EXPECT_EQ(outcome.reason, "no-healthy-upstream");
}

TEST(Explain, HostsAreThoseOfClusterDns) {
  const World world = world_of(service("world", ""));
  for (const char* host : {"world:80", "WORLD:80", "world.default:80", "world.default.svc:80",
                           "world.default.svc.cluster.local:80", "world.default.svc.cluster.local.:80"})
    EXPECT_EQ(ask(world, {.to = host}).owner, "Service default/world:80") << host;
  const Result<Explanation> slip = answer(world, {.to = "wrold:80"});
  ASSERT_FALSE(slip);
  EXPECT_NE(slip.error().message.find("no Service default/wrold; there is world (did you mean it?)"),
            std::string::npos)
      << slip.error().message;
  EXPECT_FALSE(answer(world, {.to = "world.legacy:80"}));
  const Explanation outside = ask(world, {.to = "example.com:443"});
  EXPECT_TRUE(outside.outcome.allowed);
  EXPECT_EQ(outside.owner, "nobody, outside the mesh");
  const Explanation port = ask(world, {.to = "world:81"});
  EXPECT_EQ(port.outcome.reason, "unknown-destination");
  EXPECT_EQ(port.outcome.status, 502);
  EXPECT_TRUE(says(port.notes, "has no TCP port 81; it has 80 (http)"));
}

TEST(Explain, TheOutboundPolicyOfACallersNamespaceDecidesOverWhatIsOutside) {
  const World world = world_of(
      service("world", "") +
      "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {weft.mesh/inject: enabled}, "
      "annotations: {weft.mesh/outbound-policy: registry-only}}\n");
  for (const char* from : {"default/hello", "default/nobody-yet"}) {
    const Explanation refused = ask(world, {.from = from, .to = "example.com:443"});
    EXPECT_EQ(refused.outcome.reason, "registry-only") << from;
    EXPECT_EQ(refused.outcome.status, 502) << from;
  }
  EXPECT_TRUE(ask(world, {}).outcome.allowed);
  EXPECT_TRUE(ask(world, {.from = "legacy/old", .to = "example.com:443"}).outcome.allowed);
}

TEST(Explain, APodCalledByItsAddressHasNoCanaryAndItsOwnRules) {
  const World world = world_of(service(
      "world", "weft.mesh/canary: \"v1=90,v2=10\", weft.mesh/timeout: 3s, weft.mesh/deny: \"methods=PUT\""));
  const std::string address = ask(world, {}).outbound->endpoints.front().endpoint.address.to_string();
  const Explanation direct = ask(world, {.to = address, .method = "PUT"});
  EXPECT_EQ(direct.outbound->endpoints.size(), 1u);
  EXPECT_TRUE(direct.outbound->canary.empty());
  EXPECT_EQ(direct.outbound->timeout, policy::Millis(3000));
  EXPECT_EQ(direct.outcome.rule, "service default/world deny #1");
}

// ---- what is wrong ----

TEST(Explain, ABrokenAnnotationIsSaidWithTheValueThatIsInForce) {
  const std::string broken = service("world", "weft.mesh/timeout: 10x");
  const kube::Manifests manifests = kube::parse_manifests(std::string(workloads) + broken, "test.yaml");
  const std::vector<kube::Object> objects = as_applied(manifests.objects).objects;
  const Explanation unknown = ask(make_world(objects), {});
  ASSERT_EQ(unknown.wrong.size(), 1u);
  EXPECT_FALSE(unknown.wrong[0].in_force);
  EXPECT_FALSE(unknown.outbound->timeout);
  // As discovery tells it.
  const World held = make_world(objects, {{"Service default/world", {}, {{"weft.mesh/timeout", "7s"}}}});
  const Explanation known = ask(held, {});
  ASSERT_EQ(known.wrong.size(), 1u);
  EXPECT_EQ(known.wrong[0].in_force, "7s");
  EXPECT_EQ(known.outbound->timeout, policy::Millis(7000));
  EXPECT_NE(to_text(known).find("its last good value is in force: 7s"), std::string::npos);
}

TEST(Explain, ABrokenRuleWithoutAnEarlierOneClosesThePort) {
  const World world = world_of(service("world", "weft.mesh/allow: \"form=default/hello\""));
  EXPECT_EQ(ask(world, {}).outcome.reason, "rbac-denied");
  EXPECT_NE(ask(world, {}).outcome.why.find("broken"), std::string::npos);
}

TEST(Explain, QuestionsThatCannotBeAskedSayHowToAskThem) {
  EXPECT_NE(
      make_question("hello", "world:80", "GET", "/", {}).error().message.find("NAMESPACE/SERVICE-ACCOUNT"),
      std::string::npos);
  EXPECT_NE(make_question("default/hello", "world", "GET", "/", {}).error().message.find("HOST:PORT"),
            std::string::npos);
  EXPECT_NE(make_question("default/hello", "world:80", "GET", "x", {}).error().message.find("--path"),
            std::string::npos);
  EXPECT_NE(make_question("default/hello", "world:80", "GET", "/", {"x"}).error().message.find("NAME=VALUE"),
            std::string::npos);
}

TEST(Explain, BothFormsSayTheSame) {
  const World world =
      world_of(service("world", "weft.mesh/allow: \"from=default/hello\", weft.mesh/timeout: 2s"));
  const Explanation one = ask(world, {});
  const auto json = nlohmann::json::parse(to_json(one));
  EXPECT_EQ(json["outcome"]["rule"], "service default/world allow #1");
  EXPECT_EQ(json["outbound"]["timeout_ms"], 2000);
  EXPECT_EQ(json["receivers"][0]["mtls"], "strict");
  const std::string text = to_text(one);
  for (const char* part : {"spiffe://cluster.local/ns/default/sa/hello", "whole exchange 2s", "mTLS strict",
                           "service default/world allow #1", "outcome     allowed: "})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

}  // namespace
}  // namespace weft::cli
