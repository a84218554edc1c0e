#include "sidecar/time_limit.h"

#include "base/text.h"
#include "codec/grpc_frame.h"

namespace weft::sidecar {
namespace {

constexpr std::string_view grpc_timeout = "grpc-timeout";

}  // namespace

TimeLimit::TimeLimit(const codec::Headers& request, bool grpc, std::optional<Duration> service_timeout)
    : whole_(service_timeout) {
  const auto text = grpc ? request.get(grpc_timeout) : std::nullopt;
  const auto wish = text ? codec::parse_grpc_timeout(*text) : std::nullopt;
  announced_ = wish.has_value();
  by_caller_ = wish && (!whole_ || *wish < *whole_);
  if (by_caller_) whole_ = wish;
}

void TimeLimit::announce(Duration passed, codec::Headers& request) const {
  if (announced_) request.set(grpc_timeout, codec::format_grpc_timeout(left(passed)));
}

LocalReply TimeLimit::exceeded() const {
  if (by_caller_) return {504, "caller-deadline", "the deadline that the caller set has passed", {}};
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(whole_.value_or(Duration::zero()));
  return {504,
          "upstream-timeout",
          str_cat("the exchange did not end within weft.mesh/timeout of ", whole.count(), " ms"),
          {}};
}

}  // namespace weft::sidecar
