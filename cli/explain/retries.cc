#include <algorithm>

#include "base/random.h"
#include "cli/explain/parts.h"
#include "policy/retry.h"

namespace weft::cli {
namespace {

using policy::TryEnd;

// How often one kind of failure is tried again, and what allows it.
RetryView trial(const policy::RetryPolicy& retry, const codec::RequestHead& head, bool grpc,
                std::string failure, const policy::TryOutcome& outcome, bool other_endpoint) {
  RetryView out{std::move(failure), {}, 0};
  SeededRandom random(1);
  policy::RetryBudget budget;
  policy::BudgetUse use(budget);
  policy::RetryState state(retry, head.method, grpc);
  policy::TrySituation situation;
  situation.other_endpoint = other_endpoint;
  for (auto decision = state.after(outcome, situation, use, random); decision.retry;
       decision = state.after(outcome, situation, use, random)) {
    out.allowed = policy::retry_class_name(decision.why);
    ++out.times;
  }
  return out;
}

policy::TryOutcome ended(TryEnd end) {
  policy::TryOutcome outcome;
  outcome.end = end;
  outcome.never_delivered = end == TryEnd::connect_failure;
  return outcome;
}

policy::TryOutcome answered(std::uint16_t status) {
  policy::TryOutcome outcome;
  outcome.status = status;
  return outcome;
}

policy::TryOutcome grpc_answered(std::uint32_t status) {
  policy::TryOutcome outcome = answered(200);
  outcome.grpc_status = status;
  return outcome;
}

// A request that met the close of a connection that had served others. Whoever speaks HTTP/1 to the
// application meets it: its own sidecar, by no annotation, where it has one; what that one does not try again
// is a reset to the caller's.
RetryView raced(const policy::Service& service, const codec::RequestHead& head, const OutboundView& view) {
  const char* const text = "used connection closed before a response";
  policy::TryOutcome outcome = ended(TryEnd::reset);
  outcome.raced = true;
  const bool meshed = std::any_of(view.endpoints.begin(), view.endpoints.end(), [](const EndpointView& one) {
    return one.candidate && !one.endpoint.identity.empty();
  });
  if (meshed) {
    RetryView by_receiver = trial(policy::RetryPolicy(), head, false, text, outcome, false);
    if (by_receiver.times > 0) return by_receiver;
    outcome.raced = false;
  }
  return trial(service.retry, head, false, text, outcome, view.endpoints.size() > 1);
}

}  // namespace

void explain_retries(const policy::Service& service, const codec::RequestHead& head, OutboundView& out) {
  const auto type = head.headers.get("content-type");
  const bool grpc = type && type->starts_with("application/grpc");
  struct Failure {
    const char* text;
    policy::TryOutcome outcome;
  };
  std::vector<Failure> failures{{"no connection", ended(TryEnd::connect_failure)},
                                {"new connection reset before a response", ended(TryEnd::reset)}};
  if (service.retry.per_try_timeout) failures.push_back({"per-try time-out", ended(TryEnd::per_try_timeout)});
  if (grpc) {
    failures.push_back({"gRPC UNAVAILABLE", grpc_answered(14)});
    failures.push_back({"gRPC RESOURCE_EXHAUSTED", grpc_answered(8)});
    failures.push_back({"gRPC INTERNAL", grpc_answered(13)});
    failures.push_back({"gRPC CANCELLED", grpc_answered(1)});
    failures.push_back({"gRPC DEADLINE_EXCEEDED", grpc_answered(4)});
  } else {
    failures.push_back({"502, 503, 504", answered(503)});
    failures.push_back({"500", answered(500)});
    failures.push_back({"409", answered(409)});
  }
  const bool other = service.endpoints.size() > 1;
  for (const Failure& one : failures)
    out.retries.push_back(trial(service.retry, head, grpc, one.text, one.outcome, other));
  const bool http1 = out.protocol == policy::Protocol::http1 || out.protocol == policy::Protocol::detect;
  if (http1 && !grpc) out.retries.insert(out.retries.begin() + 1, raced(service, head, out));
}

}  // namespace weft::cli
