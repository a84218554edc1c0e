#include "policy/retry.h"

#include <memory>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "policy/annotations.h"
#include "policy/rbac.h"
#include "policy/route.h"

namespace weft::policy {
namespace {

using namespace std::chrono_literals;

RetryPolicy policy_of(const Annotations& annotations) {
  Annotations full;
  for (const auto& [name, value] : annotations) full.emplace("weft.mesh/" + name, value);
  const auto read = parse_service_annotations(full);
  EXPECT_TRUE(read.errors.empty()) << read.errors[0].to_string();
  return read.settings.retry;
}

TryOutcome status(std::uint16_t code) { return {.end = TryEnd::response, .status = code}; }
TryOutcome grpc_status(std::uint32_t code) {
  return {.end = TryEnd::response, .status = 200, .grpc_status = code};
}
TryOutcome ended(TryEnd end) { return {.end = end}; }
// An application's reset as its sidecar reports it.
const TryOutcome reset_behind_a_sidecar{.end = TryEnd::reset, .status = 503};
const TryOutcome reset_undelivered{.end = TryEnd::reset, .never_delivered = true};

struct Request {
  Request(RetryPolicy with, std::string_view method, bool grpc = false)
      : policy(std::move(with)), state(policy, method, grpc) {}
  RetryDecision after(const TryOutcome& outcome, const TrySituation& situation = {}) {
    return state.after(outcome, situation, use, random);
  }
  RetryPolicy policy;
  // On the heap: the fake stack of the address sanitizer does not keep an alignment of 64 with g++ 12.
  std::unique_ptr<RetryBudget> budget = std::make_unique<RetryBudget>();
  BudgetUse use{*budget};
  SeededRandom random{5};
  RetryState state;
};

// What a decision says in one word: the class of a retry, or why there is none.
std::string_view word(const RetryDecision& decision) {
  return decision.retry ? retry_class_name(decision.why) : no_retry_name(decision.why_not);
}

TEST(Retry, WithoutAnnotationsOnlyWhatProvablyNeverArrivedIsTriedAgain) {
  for (const char* method : {"GET", "POST"}) {
    for (const bool grpc : {false, true}) {
      const auto after = [&](const TryOutcome& outcome) {
        return word(Request({}, method, grpc).after(outcome));
      };
      EXPECT_EQ(after(ended(TryEnd::connect_failure)), "proved");
      EXPECT_EQ(after(ended(TryEnd::refused_stream)), "proved");
      EXPECT_EQ(after(reset_undelivered), "proved");
      EXPECT_EQ(after(ended(TryEnd::reset)), "not-retriable");
      EXPECT_EQ(after(ended(TryEnd::per_try_timeout)), "not-retriable");
      EXPECT_EQ(after(grpc_status(14)), "not-retriable");
      for (const std::uint16_t code : {200, 409, 500, 502, 503, 504}) {
        EXPECT_EQ(after(status(code)), "not-retriable") << code;
      }
    }
  }
}

TEST(Retry, SafeRetriesAreTwoAtMostAndAtOnce) {
  Request request({}, "POST");
  for (unsigned i = 0; i < limits::safe_retries_max; ++i) {
    const RetryDecision decision = request.after(ended(TryEnd::connect_failure));
    EXPECT_TRUE(decision.retry);
    EXPECT_EQ(decision.back_off, Duration(0));
  }
  EXPECT_EQ(word(request.after(ended(TryEnd::connect_failure))), "attempts-used");
  EXPECT_EQ(request.state.retries(), 2u);
}

TEST(Retry, WhereNobodyListensTheSameEndpointIsAskedAgainOnlyOnDemand) {
  const TrySituation alone{.other_endpoint = false};
  EXPECT_EQ(word(Request({}, "GET").after(ended(TryEnd::connect_failure), alone)), "no-other-endpoint");
  EXPECT_EQ(word(Request({}, "GET").after(reset_undelivered, alone)), "proved")
      << "a fresh connection may do";
  const RetryDecision asked =
      Request(policy_of({{"retry-attempts", "1"}}), "GET").after(ended(TryEnd::connect_failure), alone);
  EXPECT_EQ(word(asked), "proved");
  EXPECT_GT(asked.back_off, Duration(0));
}

TEST(Retry, AttemptsAloneAddTheDefaultSetForIdempotentMethods) {
  const RetryPolicy policy = policy_of({{"retry-attempts", "2"}});
  for (const char* method : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}) {
    const auto after = [&](const TryOutcome& outcome) {
      return word(Request(policy, method).after(outcome));
    };
    for (const std::uint16_t code : {502, 503, 504})
      EXPECT_EQ(after(status(code)), "idempotent") << method << code;
    for (const std::uint16_t code : {200, 404, 409, 500, 501})
      EXPECT_EQ(after(status(code)), "not-retriable") << code;
    EXPECT_EQ(after(ended(TryEnd::reset)), "idempotent");
    EXPECT_EQ(after(ended(TryEnd::per_try_timeout)), "idempotent");
    EXPECT_EQ(after(ended(TryEnd::connect_failure)), "proved");
  }
  for (const char* method : {"POST", "PATCH", "CONNECT", "get", "PROPFIND"}) {
    EXPECT_EQ(word(Request(policy, method).after(status(503))), "not-retriable") << method;
    EXPECT_EQ(word(Request(policy, method).after(ended(TryEnd::reset))), "not-retriable") << method;
  }
}

TEST(Retry, OtherMethodsAreTriedAgainOnlyIfNamed) {
  const RetryPolicy post = policy_of({{"retry-attempts", "1"}, {"retry-methods", "POST"}});
  EXPECT_EQ(word(Request(post, "POST").after(status(503))), "opted-in");
  EXPECT_EQ(word(Request(post, "GET").after(status(503))), "idempotent");
  EXPECT_EQ(word(Request(post, "PATCH").after(status(503))), "not-retriable");
  const RetryPolicy all = policy_of({{"retry-attempts", "1"}, {"retry-methods", "*"}});
  EXPECT_EQ(word(Request(all, "PATCH").after(ended(TryEnd::reset))), "opted-in");
  // Naming methods alone does not ask for retries.
  EXPECT_EQ(word(Request(policy_of({{"retry-methods", "*"}}), "POST").after(status(503))), "not-retriable");
}

TEST(Retry, RetryOnReplacesTheDefaultSet) {
  struct Case {
    const char* retry_on;
    TryOutcome outcome;
    const char* word;
  };
  const Case cases[] = {
      {"5xx", status(500), "idempotent"},
      {"5xx", status(503), "idempotent"},
      {"5xx", status(429), "not-retriable"},
      {"5xx", ended(TryEnd::reset), "idempotent"},
      {"5xx", ended(TryEnd::per_try_timeout), "idempotent"},
      {"gateway-error", status(500), "not-retriable"},
      {"gateway-error", status(502), "idempotent"},
      {"gateway-error", ended(TryEnd::per_try_timeout), "idempotent"},
      {"reset", ended(TryEnd::reset), "idempotent"},
      {"reset", ended(TryEnd::per_try_timeout), "not-retriable"},
      {"reset", status(503), "not-retriable"},
      {"per-try-timeout", ended(TryEnd::per_try_timeout), "idempotent"},
      {"per-try-timeout", ended(TryEnd::reset), "not-retriable"},
      {"retriable-4xx", status(409), "idempotent"},
      {"retriable-4xx", status(404), "not-retriable"},
      {"429,503", status(429), "idempotent"},
      {"429,503", status(503), "idempotent"},
      {"429,503", status(502), "not-retriable"},
      {"429", ended(TryEnd::reset), "not-retriable"},
      {"gateway-error", ended(TryEnd::reset), "idempotent"},
      {"reset", ended(TryEnd::connect_failure), "proved"},
      {"connect-failure", ended(TryEnd::connect_failure), "proved"},
      {"connect-failure", ended(TryEnd::reset), "not-retriable"},
      {"connect-failure", status(503), "not-retriable"},
      {"refused-stream", ended(TryEnd::refused_stream), "proved"},
      {"refused-stream", ended(TryEnd::reset), "not-retriable"},
      {"refused-stream", status(503), "not-retriable"},
      {"503", reset_behind_a_sidecar, "idempotent"},
      {"502", reset_behind_a_sidecar, "not-retriable"},
      {"reset", reset_behind_a_sidecar, "idempotent"},
      {"unavailable", status(503), "not-retriable"},
      {"reset", ended(TryEnd::refused_stream), "proved"},
  };
  for (const Case& c : cases) {
    Request request(policy_of({{"retry-on", c.retry_on}}), "GET");
    EXPECT_EQ(word(request.after(c.outcome)), c.word)
        << c.retry_on << " " << try_end_name(c.outcome.end) << c.outcome.status;
  }
}

TEST(Retry, GrpcCallsAreTriedAgainOnlyForTheStatusesNamed) {
  const auto after = [](const char* retry_on, const TryOutcome& outcome) {
    const RetryPolicy policy =
        policy_of({{"retry-attempts", "2"}, {"retry-on", retry_on}, {"retry-methods", "*"}});
    return word(Request(policy, "POST", true).after(outcome));
  };
  EXPECT_EQ(after("unavailable", grpc_status(14)), "opted-in");
  EXPECT_EQ(after("unavailable", grpc_status(13)), "not-retriable");
  EXPECT_EQ(after("unavailable", grpc_status(0)), "not-retriable");
  EXPECT_EQ(after("cancelled", grpc_status(1)), "opted-in");
  EXPECT_EQ(after("deadline-exceeded", grpc_status(4)), "opted-in");
  EXPECT_EQ(after("resource-exhausted", grpc_status(8)), "opted-in");
  EXPECT_EQ(after("internal", grpc_status(13)), "opted-in");
  // As its caller would see them: a reset is UNAVAILABLE, a try that took too long DEADLINE_EXCEEDED.
  EXPECT_EQ(after("unavailable", ended(TryEnd::reset)), "opted-in");
  EXPECT_EQ(after("unavailable", status(503)), "opted-in");
  EXPECT_EQ(after("deadline-exceeded", ended(TryEnd::per_try_timeout)), "opted-in");
  EXPECT_EQ(after("unavailable", ended(TryEnd::per_try_timeout)), "not-retriable");
  // HTTP's conditions and methods do not speak of gRPC.
  EXPECT_EQ(after("5xx,reset,gateway-error,503", ended(TryEnd::reset)), "not-retriable");
  EXPECT_EQ(after("5xx,reset,gateway-error,503", status(503)), "not-retriable");
  EXPECT_EQ(after("5xx", ended(TryEnd::connect_failure)), "proved");
  EXPECT_EQ(word(Request(policy_of({{"retry-attempts", "2"}}), "POST", true).after(grpc_status(14))),
            "not-retriable");
}

TEST(Retry, AttemptsAreCountedWhateverTheClass) {
  Request request(policy_of({{"retry-attempts", "3"}}), "GET");
  EXPECT_EQ(word(request.after(ended(TryEnd::connect_failure))), "proved");
  EXPECT_EQ(word(request.after(status(503))), "idempotent");
  EXPECT_EQ(word(request.after(ended(TryEnd::per_try_timeout))), "idempotent");
  EXPECT_EQ(word(request.after(ended(TryEnd::connect_failure))), "attempts-used");
  EXPECT_EQ(word(Request(policy_of({{"retry-attempts", "0"}}), "GET").after(ended(TryEnd::connect_failure))),
            "attempts-used")
      << "none means none";
}

TEST(Retry, NeverAfterAResponseByteNorWithoutTheWholeRequest) {
  const RetryPolicy policy = policy_of({{"retry-attempts", "3"}});
  EXPECT_EQ(word(Request(policy, "GET").after(ended(TryEnd::reset), {.response_started = true})),
            "response-started");
  EXPECT_EQ(word(Request(policy, "GET").after(ended(TryEnd::reset), {.replayable = false})), "body-not-held");
  EXPECT_EQ(word(Request({}, "POST").after(ended(TryEnd::refused_stream), {.replayable = false})),
            "body-not-held");
}

TEST(Retry, WhatCrossedTheCloseOfAUsedConnectionIsTriedAgainAtOnceWhereThatIsSafeOrWanted) {
  const TryOutcome raced{.end = TryEnd::reset, .raced = true};
  const RetryDecision decision = Request({}, "GET").after(raced);
  EXPECT_EQ(word(decision), "idempotent");
  EXPECT_EQ(decision.back_off, Duration(0));
  EXPECT_EQ(word(Request({}, "POST").after(raced)), "not-retriable");
  const auto wanted = policy_of({{"retry-attempts", "1"}, {"retry-methods", "POST"}});
  EXPECT_EQ(word(Request(wanted, "POST").after(raced)), "opted-in");
  EXPECT_EQ(word(Request({}, "POST", true).after(raced)), "not-retriable");
  EXPECT_EQ(word(Request(policy_of({{"retry-attempts", "0"}}), "GET").after(raced)), "attempts-used");
  EXPECT_EQ(word(Request({}, "GET").after(raced, {.replayable = false})), "body-not-held");
}

TEST(Retry, BacksOffFurtherEachTimeAndNotBeyondTheTimeLeft) {
  Request request(policy_of({{"retry-attempts", "10"}}), "GET");
  for (const auto longest : {25ms, 50ms, 100ms, 200ms, 250ms, 250ms}) {
    const RetryDecision decision = request.after(status(503));
    EXPECT_GE(decision.back_off, longest / 2);
    EXPECT_LE(decision.back_off, longest);
  }
  EXPECT_EQ(word(request.after(status(503), {.time_left = 100ms})), "no-time-left");
  EXPECT_EQ(word(Request({}, "GET").after(ended(TryEnd::connect_failure), {.time_left = 0ms})),
            "no-time-left");
}

TEST(RetryBudget, GrantsThreeOrItsShareOfTheFirstTriesInFlight) {
  const auto heap = std::make_unique<RetryBudget>();
  RetryBudget& budget = *heap;
  EXPECT_TRUE(budget.retry_begins(0));
  EXPECT_TRUE(budget.retry_begins(0));
  EXPECT_TRUE(budget.retry_begins(0));
  EXPECT_FALSE(budget.retry_begins(20));
  for (int i = 0; i < 22; ++i) budget.request_begins();
  EXPECT_FALSE(budget.retry_begins(20)) << "three are retries, and a fifth of the 19 others is three";
  budget.request_begins();
  EXPECT_TRUE(budget.retry_begins(20)) << "a fourth beside 20 others";
  EXPECT_FALSE(budget.retry_begins(20));
  EXPECT_EQ(budget.retries(), 4u);
  budget.retry_ends();
  EXPECT_TRUE(budget.retry_begins(20));
}

// A pod that ends leaves several at once that its application never saw, and so does a connection.
TEST(RetryBudget, IsNotAskedForWhatReachedNoApplicationAndGoesElsewhere) {
  SeededRandom random(1);
  const RetryPolicy policy;
  const auto granted = [&](const TryOutcome& outcome, bool other_endpoint) {
    const auto budget = std::make_unique<RetryBudget>();
    std::vector<std::unique_ptr<BudgetUse>> uses;
    int count = 0;
    for (int i = 0; i < 20; ++i) {
      uses.push_back(std::make_unique<BudgetUse>(*budget));
      RetryState state(policy, "POST", false);
      count += state.after(outcome, {.other_endpoint = other_endpoint}, *uses.back(), random).retry;
    }
    return count;
  };
  EXPECT_EQ(granted({.end = TryEnd::connect_failure, .never_delivered = true}, true), 20);
  EXPECT_EQ(granted({.end = TryEnd::reset, .never_delivered = true, .left_behind = true}, false), 20);
  EXPECT_LT(granted({.end = TryEnd::reset, .never_delivered = true}, false), 6);
}

TEST(RetryBudget, ARequestHoldsOneShareAtATimeAndAsksForItAnewAtEachRetry) {
  const RetryPolicy policy = policy_of({{"retry-attempts", "5"}});
  const auto heap = std::make_unique<RetryBudget>();
  RetryBudget& budget = *heap;
  SeededRandom random(1);
  {
    BudgetUse first(budget);
    RetryState state(policy, "GET", false);
    EXPECT_TRUE(state.after(status(503), {}, first, random).retry);
    EXPECT_TRUE(state.after(status(503), {}, first, random).retry);
    EXPECT_EQ(budget.retries(), 1u);
    BudgetUse second(budget);
    BudgetUse third(budget);
    BudgetUse fourth(budget);
    EXPECT_TRUE(second.begin_retry(20) && third.begin_retry(20));
    RetryState late(policy, "GET", false);
    EXPECT_EQ(word(late.after(status(503), {}, fourth, random)), "budget-used");
    EXPECT_EQ(late.retries(), 0u);
    EXPECT_TRUE(state.after(status(503), {}, first, random).retry) << "what it gives back it may have again";
    EXPECT_EQ(budget.retries(), 3u);
  }
  EXPECT_EQ(budget.retries(), 0u);
  {
    // Many begin, and all fail at once: those that may try again have to stop when the others are gone.
    std::vector<std::unique_ptr<BudgetUse>> uses;
    for (int i = 0; i < 100; ++i) uses.push_back(std::make_unique<BudgetUse>(budget));
    std::vector<std::unique_ptr<BudgetUse>> retrying;
    for (auto& use : uses) {
      if (use->begin_retry(20)) retrying.push_back(std::move(use));
    }
    EXPECT_EQ(retrying.size(), 16u) << "a fifth of the 84 others";
    uses.clear();
    std::size_t again = 0;
    for (const auto& use : retrying) again += use->begin_retry(20) ? 1 : 0;
    EXPECT_EQ(again, 3u);
  }
  EXPECT_EQ(budget.retries(), 0u);
}

// Whatever comes: no unproved retry of a method that is neither idempotent nor named, none after a response
// byte or without the request, and never more than asked for.
TEST(Retry, TheRulesHoldForAnySequence) {
  SeededRandom random(99);
  constexpr const char* methods[] = {"GET", "POST", "PUT", "PATCH"};
  for (int round = 0; round < 20'000; ++round) {
    RetryPolicy policy;
    if (random.below(2) == 0) policy.attempts = static_cast<std::uint32_t>(random.below(5));
    if (random.below(2) == 0) policy.retry_on = static_cast<std::uint32_t>(random.below(1u << 12));
    if (random.below(3) == 0) policy.methods = {"POST"};
    const bool grpc = random.below(4) == 0;
    const std::string_view method = methods[random.below(4)];
    Request request(policy, method, grpc);
    std::uint32_t retries = 0;
    for (int i = 0; i < 8; ++i) {
      TryOutcome outcome{.end = static_cast<TryEnd>(random.below(5)),
                         .never_delivered = random.below(2) == 0};
      if (outcome.end == TryEnd::response) {
        outcome.status = static_cast<std::uint16_t>(200 + random.below(400));
        if (grpc) outcome.grpc_status = static_cast<std::uint32_t>(random.below(17));
      }
      const TrySituation situation{.replayable = random.below(4) != 0,
                                   .response_started = random.below(4) == 0,
                                   .other_endpoint = random.below(2) == 0};
      const RetryDecision decision = request.after(outcome, situation);
      if (!decision.retry) continue;
      ++retries;
      ASSERT_TRUE(situation.replayable && !situation.response_started);
      if (decision.why == RetryClass::idempotent) {
        ASSERT_TRUE(is_idempotent(method) && !grpc);
      }
      if (decision.why == RetryClass::opted_in) {
        ASSERT_TRUE(grpc || method == "POST");
        ASSERT_TRUE(policy.attempts || policy.retry_on);
      }
      if (decision.why == RetryClass::proved) {
        ASSERT_NE(outcome.end, TryEnd::response);
        ASSERT_NE(outcome.end, TryEnd::per_try_timeout);
      }
    }
    ASSERT_LE(retries, policy.attempts.value_or(limits::safe_retries_max));
  }
}

TEST(Health, OnlyWhatSpeaksOfTheEndpointCountsAgainstIt) {
  const std::pair<TryOutcome, Health> cases[] = {
      {{.end = TryEnd::response, .status = 200}, Health::good},
      {{.end = TryEnd::response, .status = 500}, Health::good},
      {{.end = TryEnd::response, .status = 503}, Health::bad},
      {{.end = TryEnd::reset}, Health::bad},
      {{.end = TryEnd::reset, .raced = true}, Health::unknown},
      {{.end = TryEnd::reset, .closed_idle = true, .status = 503}, Health::unknown},
      {{.end = TryEnd::reset, .never_delivered = true}, Health::unknown},
      {{.end = TryEnd::refused_stream}, Health::unknown},
      {{.end = TryEnd::per_try_timeout, .caller_slow = true}, Health::unknown},
      {{.end = TryEnd::per_try_timeout}, Health::bad},
      {{.end = TryEnd::connect_failure, .never_delivered = true}, Health::unreachable},
      {{.end = TryEnd::connect_failure, .never_delivered = true, .status = 503}, Health::unreachable},
  };
  for (const auto& [outcome, health] : cases)
    EXPECT_EQ(health_of(outcome), health) << try_end_name(outcome.end) << " " << outcome.status;
}

TEST(Sizes, OfPerRequestDecisionsArePinned) {
  EXPECT_EQ(sizeof(RetryState), 48u);
  EXPECT_EQ(sizeof(RetryDecision), 16u);
  EXPECT_EQ(sizeof(BudgetUse), 16u);
  EXPECT_EQ(sizeof(RetryBudget), 8u);
  EXPECT_EQ(sizeof(RouteChoice), 40u);
  EXPECT_EQ(sizeof(RbacDecision), 40u);
  EXPECT_EQ(sizeof(NormalTarget), 48u);
}

}  // namespace
}  // namespace weft::policy
