#include "policy/route.h"

#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "policy/annotations.h"

namespace weft::policy {
namespace {

using namespace std::chrono_literals;

const MonotonicTime start{1h};

Address address_of(std::size_t i) {
  return Address{IpAddress::v4(0xc6120000u + static_cast<std::uint32_t>(i)), 8080};
}

// A Service with one endpoint for each of `subsets`.
Service service_with(const std::vector<std::string>& subsets) {
  Service service;
  for (std::size_t i = 0; i < subsets.size(); ++i)
    service.endpoints.push_back({address_of(i), "", subsets[i], ""});
  return service;
}

codec::RequestHead request(std::string method, std::string target, codec::Headers headers = {}) {
  codec::RequestHead head;
  head.method = std::move(method);
  head.target = std::move(target);
  head.authority = "world";
  head.headers = std::move(headers);
  return head;
}

struct Fixture {
  explicit Fixture(const Service& from)
      : service(std::make_shared<const Service>(from)), table(service, registry) {}
  std::string subset(const codec::RequestHead* head = nullptr) {
    return std::string(table.choose(head, now, random).subset);
  }
  void eject(std::size_t endpoint) {
    registry.get(address_of(endpoint))->outlier.eject(now, OutlierSettings{});
  }

  EndpointRegistry registry;
  std::shared_ptr<const Service> service;
  RouteTable table;
  SeededRandom random{7};
  MonotonicTime now = start;
};

TEST(Route, AServiceWithoutEndpointsHasNoAnswer) {
  Service service = service_with({});
  service.canary = {{"v1", 1}};
  Fixture f(service);
  const RouteChoice choice = f.table.choose(nullptr, f.now, f.random);
  EXPECT_TRUE(choice.candidates().empty());
  EXPECT_FALSE(f.table.pick(choice, {}, f.now, f.random));
  EXPECT_FALSE(f.table.has_untried(choice, {}));
}

TEST(Route, WithoutRulesAndCanaryAllEndpointsAreAlike) {
  Fixture f(service_with({"v1", "v2", ""}));
  const RouteChoice choice = f.table.choose(nullptr, f.now, f.random);
  EXPECT_EQ(choice.subset, "");
  EXPECT_EQ(choice.candidates().size(), 3u);
  EXPECT_EQ(choice.rule, -1);
}

TEST(Route, TheFirstRuleThatMatchesWins) {
  Service service = service_with({"v1", "v2", "v3"});
  const auto read = parse_service_annotations(
      {{"weft.mesh/routes",
        "header(end-user)=john & method=GET -> v2; header(x-v)~v[23] -> v3; path=/a/* -> v3; path=/b -> v2; "
        "header(host)=other -> v2"},
       {"weft.mesh/canary", "v1=1"}});
  ASSERT_TRUE(read.errors.empty());
  service.routes = read.settings.routes;
  service.canary = read.settings.canary;
  Fixture f(service);
  codec::Headers john;
  john.add("End-User", "john");
  codec::Headers versions;
  versions.add("x-v", "v9");
  versions.add("X-V", "v3");
  codec::RequestHead other = request("GET", "/");
  other.authority = "other";
  const std::pair<codec::RequestHead, const char*> cases[] = {
      {request("GET", "/", john), "v2"},
      {request("POST", "/", john), "v1"},
      {request("POST", "/a/x", john), "v3"},
      {request("GET", "/", versions), "v3"},
      {request("GET", "/a"), "v3"},
      {request("GET", "/a?b"), "v3"},
      {request("GET", "/ab"), "v1"},
      {request("GET", "/b?x=1"), "v2"},
      {request("GET", "/b/"), "v1"},
      {request("OPTIONS", "*"), "v1"},
      {other, "v2"},
  };
  for (const auto& [head, subset] : cases) {
    const RouteChoice choice = f.table.choose(&head, f.now, f.random);
    EXPECT_EQ(choice.subset, subset) << head.method << " " << head.target;
    ASSERT_EQ(choice.candidates().size(), 1u);
    EXPECT_EQ(service.endpoints[choice.candidates()[0]].subset, subset);
  }
  EXPECT_EQ(f.table.choose(&cases[0].first, f.now, f.random).rule, 0);
  EXPECT_EQ(f.subset(nullptr), "v1") << "TCP has nothing that a rule could look at";
}

TEST(Route, ARuleWithoutALivingEndpointIsPassedOver) {
  Service service = service_with({"v1", "v2"});
  service.routes = {{{}, "v9"}, {{}, "v2"}};
  service.canary = {{"v1", 1}};
  Fixture f(service);
  const auto head = request("GET", "/");
  EXPECT_EQ(f.subset(&head), "v2");
  f.eject(1);
  EXPECT_EQ(f.subset(&head), "v1");
}

// Each share within four standard deviations of its weight: with this seed always, with any nearly always.
TEST(Route, TheCanaryFollowsItsWeights) {
  for (const std::vector<WeightedSubset>& weights : {std::vector<WeightedSubset>{{"v1", 90}, {"v2", 10}},
                                                     {{"v1", 1}, {"v2", 1}},
                                                     {{"v1", 3}, {"v2", 1}, {"v3", 1}},
                                                     {{"v1", 0}, {"v2", 7}}}) {
    Service service = service_with({"v1", "v2", "v3"});
    service.canary = weights;
    Fixture f(service);
    constexpr int rounds = 20'000;
    std::map<std::string, int> counts;
    for (int i = 0; i < rounds; ++i) ++counts[f.subset()];
    double sum = 0;
    for (const WeightedSubset& part : weights) sum += part.weight;
    for (const WeightedSubset& part : weights) {
      const double p = part.weight / sum;
      EXPECT_NEAR(counts[part.subset], rounds * p, 4 * std::sqrt(rounds * p * (1 - p))) << part.subset;
    }
  }
}

TEST(Route, ASubsetWithoutEndpointsGivesItsShareToTheOthers) {
  Service service = service_with({"v1", "v1"});
  service.canary = {{"v1", 1}, {"v2", 99}};
  Fixture f(service);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(f.subset(), "v1");
}

TEST(Route, ASubsetWhoseEndpointsAreAllEjectedGivesItsShareToTheOthers) {
  Service service = service_with({"v1", "v2", "v2"});
  service.canary = {{"v1", 1}, {"v2", 99}};
  Fixture f(service);
  f.eject(1);
  EXPECT_EQ(f.table.choose(nullptr, f.now, f.random).subset, "v2") << "one of two is still there";
  f.eject(2);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(f.subset(), "v1");
}

TEST(Route, WhenNoSubsetHasAnEndpointAnyEndpointAnswers) {
  Service service = service_with({"v7", "v8"});
  service.canary = {{"v1", 90}, {"v2", 10}};
  Fixture f(service);
  EXPECT_EQ(f.table.choose(nullptr, f.now, f.random).candidates().size(), 2u);
}

// A request that reached no application goes on as if those that it was sent to were gone.
TEST(Route, WhatReachedNoApplicationStaysInItsSubsetWhileThereIsHopeAndThenGoesWhereOthersWould) {
  Service service = service_with({"v1", "v1", "v2", "v3"});
  service.canary = {{"v1", 1}, {"v2", 99}};
  service.routes = {{{{RouteCondition::Kind::path_exact, "", "/beta"}}, "v1"}};
  service.canary_sticky = CallerKey{CallerKey::Kind::header, "x-user"};
  Fixture f(service);
  const codec::RequestHead head = request("POST", "/beta");
  const RouteChoice first = f.table.choose(&head, f.now, f.random);
  ASSERT_EQ(first.subset, "v1");
  TriedEndpoints tried;
  tried.add(*f.registry.get(address_of(0)));
  EXPECT_EQ(f.table.elsewhere(first, &head, tried, f.now, f.random).subset, "v1");
  f.table.report(*f.registry.get(address_of(1)), Health::unreachable, f.now);
  const RouteChoice second = f.table.elsewhere(first, &head, tried, f.now, f.random);
  EXPECT_EQ(second.subset, "v2") << "another request has found out about the other one";
  EXPECT_EQ(second.rule, -1);
  tried.add(*f.registry.get(address_of(1)));
  EXPECT_EQ(f.table.elsewhere(first, &head, tried, f.now, f.random).subset, "v2");
  // No named subset is left: any endpoint answers.
  tried.add(*f.registry.get(address_of(2)));
  const RouteChoice third = f.table.elsewhere(second, &head, tried, f.now, f.random);
  EXPECT_EQ(third.subset, "");
  EXPECT_EQ(f.table.pick(third, tried, f.now, f.random)->endpoint->subset, "v3");
  tried.add(*f.registry.get(address_of(3)));
  EXPECT_EQ(f.table.elsewhere(second, &head, tried, f.now, f.random).subset, "v2") << "nobody is left";
}

// The next subset of a caller is the one that it would have if its own were empty.
TEST(Route, AStickyCallerThatFindsItsSubsetGoneGoesWhereItWouldGoWithoutIt) {
  Service service = service_with({"v1", "v2", "v3"});
  service.canary = {{"v1", 1}, {"v2", 1}, {"v3", 1}};
  service.canary_sticky = CallerKey{CallerKey::Kind::header, "x-user"};
  Fixture f(service);
  Service less = service;
  less.endpoints.erase(less.endpoints.begin());
  Fixture without(less);
  std::set<std::string> seen;
  for (int user = 0; user < 100; ++user) {
    codec::RequestHead head = request("GET", "/");
    head.headers.add("x-user", std::to_string(user));
    const RouteChoice own = f.table.choose(&head, f.now, f.random);
    if (own.subset != "v1") continue;
    TriedEndpoints tried;
    tried.add(*f.registry.get(address_of(0)));
    const std::string next(f.table.elsewhere(own, &head, tried, f.now, f.random).subset);
    EXPECT_EQ(next, without.subset(&head)) << user;
    seen.insert(next);
  }
  EXPECT_EQ(seen, (std::set<std::string>{"v2", "v3"}));
}

TEST(Route, AnEndpointKeepsItsStateAcrossSnapshots) {
  EndpointRegistry registry;
  const auto first = std::make_shared<const Service>(service_with({"v1", "v1"}));
  auto before = std::make_unique<RouteTable>(first, registry);
  SeededRandom random(1);
  const auto choice = before->pick(before->choose(nullptr, start, random), {}, start, random);
  ASSERT_TRUE(choice);
  const ActiveRequest active(*choice->state);
  const RouteTable after(std::make_shared<const Service>(*first), registry);
  before.reset();
  EXPECT_EQ(registry.get(choice->endpoint->address)->active.load(), 1u);
  EXPECT_EQ(registry.size(), 2u);
}

TEST(EndpointRegistry, ForgetsStatesThatNobodyHolds) {
  EndpointRegistry registry;
  for (std::size_t i = 0; i < 1000; ++i) registry.get(address_of(i));
  EXPECT_EQ(registry.size(), 0u);
  const auto held = registry.get(address_of(1));
  EXPECT_EQ(registry.get(address_of(1)), held);
  EXPECT_EQ(registry.size(), 1u);
}

TEST(Outlier, FiveFailuresInARowEjectAndASuccessBetweenDoesNot) {
  Fixture f(service_with({"", ""}));
  const auto state = f.registry.get(address_of(0));
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(f.table.report(*state, Health::bad, f.now));
  EXPECT_FALSE(f.table.report(*state, Health::good, f.now));
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(f.table.report(*state, Health::bad, f.now));
  EXPECT_TRUE(f.table.report(*state, Health::bad, f.now));
  EXPECT_TRUE(state->outlier.ejected(f.now));
  EXPECT_TRUE(state->outlier.ejected(f.now + 29s));
  EXPECT_FALSE(state->outlier.ejected(f.now + 30s));
}

TEST(Outlier, FailuresFarApartAreNotARow) {
  Fixture f(service_with({"", ""}));
  const auto state = f.registry.get(address_of(0));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(f.table.report(*state, Health::bad, f.now + i * 11s));
}

TEST(Outlier, EachEjectionLastsTwiceAsLongUpToFiveMinutesAndALongPeaceForgets) {
  OutlierState state;
  MonotonicTime now = start;
  for (const auto length : {30s, 60s, 120s, 240s, 300s, 300s}) {
    state.eject(now, OutlierSettings{});
    EXPECT_TRUE(state.ejected(now + length - 1ms));
    EXPECT_FALSE(state.ejected(now + length));
    now += length;
  }
  now += 301s;
  state.eject(now, OutlierSettings{});
  EXPECT_FALSE(state.ejected(now + 30s));
}

TEST(Outlier, TheServicesOwnSettingsHold) {
  Service service = service_with({"", "", "", ""});
  service.outlier = {.consecutive = 2, .interval = 1s, .ejection = 3s, .max_percent = 100};
  Fixture f(service);
  for (std::size_t e = 0; e < 4; ++e) {
    const auto state = f.registry.get(address_of(e));
    EXPECT_FALSE(f.table.report(*state, Health::bad, f.now));
    EXPECT_FALSE(f.table.report(*state, Health::bad, f.now + 1001ms)) << "too late to be a row";
    EXPECT_TRUE(f.table.report(*state, Health::bad, f.now + 1002ms)) << "all of them, if need be";
    EXPECT_TRUE(state->outlier.ejected(f.now + 4001ms));
    EXPECT_FALSE(state->outlier.ejected(f.now + 4002ms));
  }
  service.outlier.max_percent = 0;
  Fixture never(service);
  const auto state = never.registry.get(address_of(0));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(never.table.report(*state, Health::bad, never.now));
}

TEST(Outlier, NeverEjectsMoreThanItsShare) {
  const std::pair<std::size_t, int> cases[] = {{1, 0}, {2, 1}, {3, 1}, {4, 2}, {7, 3}};
  for (const auto& [endpoints, most] : cases) {
    Fixture f(service_with(std::vector<std::string>(endpoints)));
    int ejected = 0;
    for (std::size_t e = 0; e < endpoints; ++e) {
      for (int i = 0; i < 10; ++i)
        ejected += f.table.report(*f.registry.get(address_of(e)), Health::bad, f.now) ? 1 : 0;
    }
    EXPECT_EQ(ejected, most) << endpoints;
  }
}

TEST(Outlier, WhoCouldNotBeReachedIsPassedOverForAMomentAndNobodyIsWhereNobodyElseIsLeft) {
  Service service = service_with({"", ""});
  service.outlier.max_percent = 0;  // it has nothing to do with ejection
  Fixture f(service);
  const auto first = f.registry.get(address_of(0));
  const auto second = f.registry.get(address_of(1));
  const auto picked = [&](MonotonicTime at) {
    return f.table.pick(f.table.choose(nullptr, at, f.random), {}, at, f.random)->endpoint->address;
  };
  EXPECT_FALSE(f.table.report(*first, Health::unreachable, f.now));
  EXPECT_FALSE(first->outlier.ejected(f.now));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(picked(f.now + 999ms), address_of(1));
  std::set<std::uint32_t> after;
  for (int i = 0; i < 50; ++i) after.insert(picked(f.now + 1s) == address_of(0) ? 0 : 1);
  EXPECT_EQ(after.size(), 2u);
  f.table.report(*second, Health::unreachable, f.now);
  after.clear();
  for (int i = 0; i < 50; ++i) after.insert(picked(f.now) == address_of(0) ? 0 : 1);
  EXPECT_EQ(after.size(), 2u);
  f.table.report(*first, Health::good, f.now);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(picked(f.now), address_of(0)) << "a connection came about after all";
}

TEST(Outlier, AnEndThatSaysNothingNeitherEjectsNorForgives) {
  Fixture f(service_with({"", ""}));
  const auto state = f.registry.get(address_of(0));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(f.table.report(*state, Health::unknown, f.now));
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(f.table.report(*state, Health::bad, f.now));
  EXPECT_FALSE(f.table.report(*state, Health::unknown, f.now));
  EXPECT_TRUE(f.table.report(*state, Health::unreachable, f.now));
}

TEST(Outlier, OnlyWhatSpeaksOfTheEndpointCounts) {
  for (const int status : {502, 503, 504}) EXPECT_TRUE(status_is_failure(status));
  for (const int status : {200, 404, 409, 429, 500, 501, 505}) EXPECT_FALSE(status_is_failure(status));
}

}  // namespace
}  // namespace weft::policy
