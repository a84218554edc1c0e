#include "policy/caller_key.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "policy/annotations.h"
#include "policy/route.h"

namespace weft::policy {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

codec::RequestHead request(const Fields& fields) {
  codec::RequestHead head;
  head.method = "GET";
  head.target = "/";
  head.authority = "world";
  for (const auto& [name, value] : fields) head.headers.add(name, value);
  return head;
}

std::string caller(CallerKey::Kind kind, const char* name, const Fields& fields) {
  const codec::RequestHead head = request(fields);
  return std::string(caller_of(CallerKey{kind, name}, head).value_or("nobody"));
}

TEST(CallerKey, IsTheFirstHeaderOfThatNameThatSaysSomething) {
  constexpr auto header = CallerKey::Kind::header;
  EXPECT_EQ(caller(header, "x-user", {{"X-User", "john"}}), "john");
  EXPECT_EQ(caller(header, "x-user", {{"x-user", ""}, {"x-user", "second"}}), "second");
  EXPECT_EQ(caller(header, "x-user", {{"x-users", "john"}}), "nobody");
  EXPECT_EQ(caller(header, "x-user", {}), "nobody");
  EXPECT_EQ(caller(header, "host", {}), "world");
}

TEST(CallerKey, IsTheCookieOfExactlyThatName) {
  constexpr auto cookie = CallerKey::Kind::cookie;
  EXPECT_EQ(caller(cookie, "sid", {{"Cookie", "sid=abc"}}), "abc");
  EXPECT_EQ(caller(cookie, "sid", {{"cookie", "a=1; sid=x=y ;b=2"}}), "x=y");
  EXPECT_EQ(caller(cookie, "sid", {{"cookie", "a=1"}, {"cookie", "sid=2"}}), "2") << "as HTTP/2 may split it";
  EXPECT_EQ(caller(cookie, "sid", {{"cookie", "SID=1; xsid=2; sid; sid="}}), "nobody");
  EXPECT_EQ(caller(cookie, "sid", {{"sid", "1"}, {"cookie", ""}, {"cookie", ";;"}}), "nobody");
}

TEST(Annotations, WhatCannotTellCallersApartIsRefused) {
  const std::pair<Annotations, const char*> cases[] = {
      {{{"weft.mesh/canary-sticky", "query(user)"}},
       "weft.mesh/canary-sticky: column 1: expected header(x-user) or cookie(sid), found 'query(user)'"},
      {{{"weft.mesh/load-balancer", "hash(x-user)"}},
       "weft.mesh/load-balancer: column 6: expected header:x-user or cookie:sid, found 'x-user'"},
      {{{"weft.mesh/load-balancer", "hash(query:user)"}},
       "weft.mesh/load-balancer: column 6: expected header or cookie, found 'query'"},
  };
  for (const auto& [annotations, message] : cases) {
    const auto read = parse_service_annotations(annotations);
    ASSERT_EQ(read.errors.size(), 1u);
    EXPECT_EQ(read.errors[0].to_string(), message);
  }
}

TEST(StableHash, SaysTheSameOnEveryMachineAndInEveryVersion) {
  EXPECT_EQ(mix_bits(1), 0x5692161d100b05e5u);
  EXPECT_EQ(stable_hash(""), mix_bits(0xcbf29ce484222325u));
  EXPECT_EQ(stable_hash("a"), mix_bits(0xaf63dc4c8601ec8cu)) << "FNV-1a of its reference table";
}

// ---- canary-sticky ----

using Weights = std::vector<WeightedSubset>;

// A table whose callers are told apart by x-user.
struct Sticky {
  explicit Sticky(Weights weights, std::vector<std::string> subsets = {"v1", "v2", "v3"}) {
    Service service;
    for (std::size_t i = 0; i < subsets.size(); ++i) {
      const Address address{IpAddress::v4(0xc6120000u + static_cast<std::uint32_t>(i)), 8080};
      service.endpoints.push_back({address, "", subsets[i], ""});
    }
    service.canary = std::move(weights);
    service.canary_sticky = CallerKey{CallerKey::Kind::header, "x-user"};
    table.emplace(std::make_shared<const Service>(std::move(service)), registry);
  }
  std::string subset(int user) {
    const codec::RequestHead head = request({{"x-user", "user-" + std::to_string(user)}});
    return std::string(table->choose(&head, MonotonicTime{}, random).subset);
  }
  EndpointRegistry registry;
  std::optional<RouteTable> table;
  SeededRandom random{5};
};

constexpr int users = 10'000;

TEST(CanarySticky, SharesFollowTheWeights) {
  for (const Weights& weights : {Weights{{"v1", 99}, {"v2", 1}},
                                 {{"v1", 90}, {"v2", 10}},
                                 {{"v1", 1}, {"v2", 1}},
                                 {{"v1", 3}, {"v2", 1}, {"v3", 1}},
                                 {{"v1", 0}, {"v2", 5}}}) {
    Sticky sticky(weights);
    std::map<std::string, int> counts;
    for (int user = 0; user < users; ++user) ++counts[sticky.subset(user)];
    double sum = 0;
    for (const WeightedSubset& part : weights) sum += part.weight;
    for (const WeightedSubset& part : weights) {
      const double p = part.weight / sum;
      EXPECT_NEAR(counts[part.subset], users * p, 4 * std::sqrt(users * p * (1 - p))) << part.subset;
    }
  }
}

TEST(CanarySticky, ACallerStaysWhateverTheOrderOfTheSubsetsTheScaleOfTheWeightsAndTheOtherEndpoints) {
  Sticky before({{"v1", 90}, {"v2", 10}});
  Sticky after({{"v2", 1}, {"v1", 9}}, {"v2", "v1", "v1", "v1"});
  for (int user = 0; user < users; ++user) EXPECT_EQ(after.subset(user), before.subset(user));
}

TEST(CanarySticky, WhenWeightsChangeOnlyAsManyMoveAsMust) {
  struct Case {
    Weights before, after;
    double moved;  // the least there can be
  };
  const Case cases[] = {
      {{{"v1", 99}, {"v2", 1}}, {{"v1", 90}, {"v2", 10}}, 0.09},
      {{{"v1", 90}, {"v2", 10}}, {{"v1", 50}, {"v2", 50}}, 0.4},
      {{{"v1", 50}, {"v2", 50}}, {{"v1", 0}, {"v2", 100}}, 0.5},
      {{{"v1", 50}, {"v2", 25}, {"v3", 25}}, {{"v1", 0}, {"v2", 50}, {"v3", 50}}, 0.5},
      {{{"v1", 100}}, {{"v1", 80}, {"v2", 10}, {"v3", 10}}, 0.2},
  };
  for (const Case& c : cases) {
    Sticky before(c.before);
    Sticky after(c.after);
    int moved = 0;
    for (int user = 0; user < users; ++user) moved += before.subset(user) == after.subset(user) ? 0 : 1;
    EXPECT_NEAR(moved, users * c.moved, 4 * std::sqrt(users * c.moved * (1 - c.moved)));
  }
}

// Towards v2, whose weight alone grew, and between v1 and v3, whose proportion stayed, not at all.
TEST(CanarySticky, NobodyMovesToASubsetThatDidNotGrow) {
  Sticky before({{"v1", 60}, {"v2", 10}, {"v3", 30}});
  Sticky after({{"v1", 40}, {"v2", 40}, {"v3", 20}});
  for (int user = 0; user < users; ++user) {
    const std::string now = after.subset(user);
    EXPECT_TRUE(now == before.subset(user) || now == "v2");
  }
}

TEST(CanarySticky, ASubsetWithoutEndpointsLendsItsOwnCallersOnly) {
  Sticky whole({{"v1", 50}, {"v2", 25}, {"v3", 25}});
  Sticky without({{"v1", 50}, {"v2", 25}, {"v3", 25}}, {"v1", "v2"});
  for (int user = 0; user < users; ++user) {
    const std::string before = whole.subset(user);
    const std::string now = without.subset(user);
    EXPECT_TRUE(now == before || before == "v3") << user;
  }
}

TEST(CanarySticky, WhoCannotBeToldApartGoesByChance) {
  Sticky sticky({{"v1", 50}, {"v2", 50}});
  std::map<std::string_view, int> counts;
  const codec::RequestHead nobody = request({});
  for (int i = 0; i < users; ++i)
    ++counts[sticky.table->choose(&nobody, MonotonicTime{}, sticky.random).subset];
  EXPECT_NEAR(counts["v1"], users / 2, 200);
  EXPECT_EQ(counts["v1"] + counts["v2"], users);
  EXPECT_FALSE(sticky.table->choose(nullptr, MonotonicTime{}, sticky.random).subset.empty()) << "TCP as well";
}

}  // namespace
}  // namespace weft::policy
