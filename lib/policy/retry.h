// Whether a failed try is made again. Without annotations only what provably never reached an
// application is; the rest needs an idempotent method (RFC 9110 § 9.2.2) or the user's word. Pure, but for
// the budget's counters, which the workers share.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/random.h"
#include "policy/outlier.h"
#include "policy/snapshot.h"

namespace weft::policy {

inline constexpr std::uint32_t retry_attempts_max = 10;

bool is_idempotent(std::string_view method);

// ---- budget: retries in flight against first tries in flight, of one Service; not those that provably
// reached no application and go to another endpoint ----
//
// Not against all requests: those that are being retried would make room for more of them, and the load on an
// upstream that always fails would rise by more than the share.

class RetryBudget {
 public:
  void request_begins() { requests_.fetch_add(1, std::memory_order_relaxed); }
  void request_ends() { requests_.fetch_sub(1, std::memory_order_relaxed); }
  // False when the share is used up; never fewer than limits::retry_budget_min are granted.
  bool retry_begins(std::uint32_t percent);
  void retry_ends() { retries_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint32_t retries() const { return retries_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> requests_{0};
  std::atomic<std::uint32_t> retries_{0};
};

// One request's share in the budget, given back when it dies. The budget outlives it.
class BudgetUse {
 public:
  explicit BudgetUse(RetryBudget& budget) : budget_(budget) { budget_.request_begins(); }
  BudgetUse(const BudgetUse&) = delete;
  BudgetUse& operator=(const BudgetUse&) = delete;
  ~BudgetUse() {
    if (retrying_) budget_.retry_ends();
    budget_.request_ends();
  }
  // Each retry asks anew: the one before it has ended.
  bool begin_retry(std::uint32_t percent) {
    if (std::exchange(retrying_, false)) budget_.retry_ends();
    return retrying_ = budget_.retry_begins(percent);
  }

 private:
  RetryBudget& budget_;
  bool retrying_ = false;
};

// ---- one request ----

enum class TryEnd : std::uint8_t {
  response,         // a final head; status (and grpc_status, when it came with the head) say which
  connect_failure,  // TCP or TLS not established, also by time-out
  refused_stream,   // REFUSED_STREAM, or above GOAWAY's last id
  reset,            // the connection or stream broke before a response head
  per_try_timeout,  // no response head in time, on an established connection
};
std::string_view try_end_name(TryEnd end);  // "connect-failure", as in retry-on

struct TryOutcome {
  TryEnd end = TryEnd::response;
  bool never_delivered =
      false;                 // reset: proved that no byte was handed to the kernel (http::Delivery::never)
  bool left_behind = false;  // and by a connection used before, whose peer takes no more (GOAWAY)
  bool raced = false;  // reset: a connection used before closed in place of an answer (http::Delivery::raced)
  bool closed_idle = false;  // reset: the same, as the peer's sidecar says of the application behind it
  bool caller_slow = false;  // per_try_timeout: the rest of the request had not come, with room for it
  std::uint16_t status = 0;  // 0: there was no answer; a peer's sidecar answers for an application that reset
  std::optional<std::uint32_t> grpc_status;
};

// Whether it is proved that no application saw the try.
bool reached_no_application(const TryOutcome& outcome);
Health health_of(const TryOutcome& outcome);

struct TrySituation {
  bool replayable = true;                // the request sent so far is still held whole
  bool response_started = false;         // something of a response went downstream
  bool other_endpoint = true;            // one is left that was not tried
  Duration time_left = Duration::max();  // of weft.mesh/timeout
};

enum class RetryClass : std::uint8_t { proved, idempotent, opted_in };
std::string_view retry_class_name(RetryClass retry_class);  // "proved", "idempotent", "opted-in"

enum class NoRetry : std::uint8_t {
  not_a_failure,  // or one that nothing allows to be tried again
  response_started,
  not_replayable,
  attempts_used,
  no_other_endpoint,
  no_time,
  no_budget,
};
std::string_view no_retry_name(NoRetry reason);

struct RetryDecision {
  bool retry = false;
  RetryClass why = RetryClass::proved;       // of a retry
  NoRetry why_not = NoRetry::not_a_failure;  // of none
  Duration back_off{0};                      // wait before the next try
};

class RetryState {
 public:
  // `policy` outlives this. `grpc`: content-type is application/grpc, whatever follows.
  RetryState(const RetryPolicy& policy, std::string_view method, bool grpc);
  // Called once after each try that ended; counts the retry it grants.
  RetryDecision after(const TryOutcome& outcome, const TrySituation& situation, BudgetUse& budget,
                      Random& random);
  std::uint32_t retries() const { return retries_; }

 private:
  std::optional<RetryClass> retry_class(const TryOutcome& outcome) const;
  bool named(const TryOutcome& outcome) const;
  bool named_status(std::uint16_t status) const;
  bool named_for_grpc(const TryOutcome& outcome) const;
  std::uint32_t attempts() const;

  const RetryPolicy& policy_;
  Backoff back_off_;
  std::uint32_t retry_on_ = 0;  // in force; 0 where only safe retries are
  std::uint32_t retries_ = 0;
  bool idempotent_ = false;
  bool opted_in_ = false;
  bool grpc_ = false;
};

}  // namespace weft::policy
