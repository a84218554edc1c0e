#include "policy/retry.h"

#include <algorithm>
#include <iterator>

#include "base/limits.h"
#include "base/text.h"

namespace weft::policy {
namespace {

// The default set where an annotation asks for retries and names none.
constexpr std::uint32_t default_retry_on = retry_gateway_error | retry_reset | retry_per_try_timeout;

constexpr Duration back_off_first = std::chrono::milliseconds(25);
constexpr Duration back_off_longest = std::chrono::milliseconds(250);

// RFC 9110 § 15 and the gRPC status codes that retry-on has names for.
constexpr std::uint16_t status_conflict = 409;
constexpr std::uint32_t grpc_cancelled = 1;
constexpr std::uint32_t grpc_deadline_exceeded = 4;
constexpr std::uint32_t grpc_resource_exhausted = 8;
constexpr std::uint32_t grpc_internal = 13;
constexpr std::uint32_t grpc_unavailable = 14;

bool is_gateway_error(std::uint16_t status) { return status >= 502 && status <= 504; }

std::uint32_t grpc_bit(std::uint32_t status) {
  switch (status) {
    case grpc_cancelled:
      return retry_grpc_cancelled;
    case grpc_deadline_exceeded:
      return retry_grpc_deadline_exceeded;
    case grpc_resource_exhausted:
      return retry_grpc_resource_exhausted;
    case grpc_internal:
      return retry_grpc_internal;
    case grpc_unavailable:
      return retry_grpc_unavailable;
    default:
      return 0;
  }
}

}  // namespace

bool is_idempotent(std::string_view method) {
  constexpr std::string_view methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
  return std::find(std::begin(methods), std::end(methods), method) != std::end(methods);
}

bool RetryBudget::retry_begins(std::uint32_t percent) {
  const std::uint64_t requests = requests_.load(std::memory_order_relaxed);
  const std::uint64_t retries = retries_.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t first_tries = requests - std::min(requests, retries);
  if (retries < std::max<std::uint64_t>(limits::retry_budget_min, first_tries * percent / 100)) return true;
  retries_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

std::string_view try_end_name(TryEnd end) {
  switch (end) {
    case TryEnd::response:
      return "response";
    case TryEnd::connect_failure:
      return "connect-failure";
    case TryEnd::refused_stream:
      return "refused-stream";
    case TryEnd::reset:
      return "reset";
    case TryEnd::per_try_timeout:
      return "per-try-timeout";
  }
  return "unknown";
}

std::string_view retry_class_name(RetryClass retry_class) {
  switch (retry_class) {
    case RetryClass::proved:
      return "proved";
    case RetryClass::idempotent:
      return "idempotent";
    case RetryClass::opted_in:
      return "opted-in";
  }
  return "unknown";
}

std::string_view no_retry_name(NoRetry reason) {
  switch (reason) {
    case NoRetry::not_a_failure:
      return "not-retriable";
    case NoRetry::response_started:
      return "response-started";
    case NoRetry::not_replayable:
      return "body-not-held";
    case NoRetry::attempts_used:
      return "attempts-used";
    case NoRetry::no_other_endpoint:
      return "no-other-endpoint";
    case NoRetry::no_time:
      return "no-time-left";
    case NoRetry::no_budget:
      return "budget-used";
  }
  return "unknown";
}

bool reached_no_application(const TryOutcome& outcome) {
  return outcome.end == TryEnd::connect_failure || outcome.end == TryEnd::refused_stream ||
         (outcome.end == TryEnd::reset && outcome.never_delivered);
}

Health health_of(const TryOutcome& outcome) {
  switch (outcome.end) {
    case TryEnd::response:
      return status_is_failure(outcome.status) ? Health::bad : Health::good;
    case TryEnd::connect_failure:
      return Health::unreachable;
    // Servers close what is idle, and connections that are old enough: that is their right.
    case TryEnd::refused_stream:
      return Health::unknown;
    case TryEnd::reset:
      return outcome.raced || outcome.closed_idle || outcome.never_delivered ? Health::unknown : Health::bad;
    case TryEnd::per_try_timeout:
      return outcome.caller_slow ? Health::unknown : Health::bad;
  }
  return Health::unknown;
}

RetryState::RetryState(const RetryPolicy& policy, std::string_view method, bool grpc)
    : policy_(policy), back_off_(back_off_first, back_off_longest), grpc_(grpc) {
  if (policy.attempts || policy.retry_on) retry_on_ = policy.retry_on.value_or(default_retry_on);
  idempotent_ = is_idempotent(method);
  opted_in_ = std::any_of(policy.methods.begin(), policy.methods.end(),
                          [method](const std::string& named) { return named == "*" || named == method; });
}

std::uint32_t RetryState::attempts() const {
  return std::min(policy_.attempts.value_or(limits::safe_retries_max), retry_attempts_max);
}

bool RetryState::named_status(std::uint16_t status) const {
  return (policy_.attempts || policy_.retry_on) &&
         std::find(policy_.statuses.begin(), policy_.statuses.end(), status) != policy_.statuses.end();
}

bool RetryState::named(const TryOutcome& outcome) const {
  const auto has = [this](std::uint32_t bits) { return (retry_on_ & bits) != 0; };
  switch (outcome.end) {
    case TryEnd::response:
      if (has(retry_5xx) && outcome.status >= 500 && outcome.status <= 599) return true;
      if (has(retry_gateway_error) && is_gateway_error(outcome.status)) return true;
      if (has(retry_retriable_4xx) && outcome.status == status_conflict) return true;
      return named_status(outcome.status);
    // As Envoy has it, 5xx and gateway-error cover a server that does not answer at all.
    case TryEnd::reset:
      return has(retry_reset | retry_5xx | retry_gateway_error) || named_status(outcome.status);
    case TryEnd::per_try_timeout:
      return has(retry_per_try_timeout | retry_5xx | retry_gateway_error);
    case TryEnd::connect_failure:
    case TryEnd::refused_stream:
      return true;
  }
  return false;
}

// A gRPC call fails with the status that its caller would see: a reset or a gateway error as UNAVAILABLE, a
// per-try time-out as DEADLINE_EXCEEDED.
bool RetryState::named_for_grpc(const TryOutcome& outcome) const {
  std::uint32_t bit = 0;
  if (outcome.end == TryEnd::response) {
    if (outcome.grpc_status)
      bit = grpc_bit(*outcome.grpc_status);
    else if (is_gateway_error(outcome.status))
      bit = retry_grpc_unavailable;
  } else {
    bit = outcome.end == TryEnd::per_try_timeout ? retry_grpc_deadline_exceeded : retry_grpc_unavailable;
  }
  return (retry_on_ & bit) != 0;
}

std::optional<RetryClass> RetryState::retry_class(const TryOutcome& outcome) const {
  if (reached_no_application(outcome)) return RetryClass::proved;
  // RFC 9110 § 9.2.2: what an idle connection's close interrupts may be repeated where that changes nothing.
  if (outcome.end == TryEnd::reset && outcome.raced && idempotent_) return RetryClass::idempotent;
  if (grpc_) return named_for_grpc(outcome) ? std::optional(RetryClass::opted_in) : std::nullopt;
  if (!named(outcome)) return std::nullopt;
  if (idempotent_) return RetryClass::idempotent;
  if (opted_in_) return RetryClass::opted_in;
  return std::nullopt;
}

RetryDecision RetryState::after(const TryOutcome& outcome, const TrySituation& situation, BudgetUse& budget,
                                Random& random) {
  const auto no = [](NoRetry reason) {
    return RetryDecision{false, RetryClass::proved, reason, Duration(0)};
  };
  const std::optional<RetryClass> why = retry_class(outcome);
  if (!why) return no(NoRetry::not_a_failure);
  if (situation.response_started) return no(NoRetry::response_started);
  if (!situation.replayable) return no(NoRetry::not_replayable);
  if (retries_ >= attempts()) return no(NoRetry::attempts_used);
  // Where nobody listens, asking the same one again helps only a user who asked for it.
  if (outcome.end == TryEnd::connect_failure && !situation.other_endpoint && retry_on_ == 0) {
    return no(NoRetry::no_other_endpoint);
  }
  // Another endpoint has had no part in a proved failure, nor a new connection in the close of an old one, so
  // nothing is gained by waiting.
  const bool at_once =
      (*why == RetryClass::proved && (situation.other_endpoint || outcome.left_behind)) || outcome.raced;
  const Duration back_off = at_once ? Duration(0) : back_off_.next(random);
  if (back_off >= situation.time_left) return no(NoRetry::no_time);
  // Nor is anything added to the load of an application that never saw the request: the budget is for the
  // rest. Measured by it, the requests that are under way to a pod when it ends, or on a connection that has
  // carried its thousand, would fail.
  if (!at_once && !budget.begin_retry(policy_.budget_percent)) return no(NoRetry::no_budget);
  ++retries_;
  return RetryDecision{true, *why, NoRetry::not_a_failure, back_off};
}

}  // namespace weft::policy
