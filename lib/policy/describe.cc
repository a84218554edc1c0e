#include "policy/describe.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace weft::policy {
namespace {

constexpr std::pair<std::uint32_t, std::string_view> retry_names[] = {
    {retry_5xx, "5xx"},
    {retry_gateway_error, "gateway-error"},
    {retry_reset, "reset"},
    {retry_connect_failure, "connect-failure"},
    {retry_refused_stream, "refused-stream"},
    {retry_retriable_4xx, "retriable-4xx"},
    {retry_per_try_timeout, "per-try-timeout"},
    {retry_grpc_cancelled, "cancelled"},
    {retry_grpc_deadline_exceeded, "deadline-exceeded"},
    {retry_grpc_internal, "internal"},
    {retry_grpc_resource_exhausted, "resource-exhausted"},
    {retry_grpc_unavailable, "unavailable"},
};

std::string describe(const RouteCondition& condition) {
  switch (condition.kind) {
    case RouteCondition::Kind::header_equals:
      return str_cat("header(", condition.name, ")=", condition.value);
    case RouteCondition::Kind::header_matches:
      return str_cat("header(", condition.name, ")~", condition.value);
    case RouteCondition::Kind::path_exact:
      return str_cat("path=", condition.value);
    case RouteCondition::Kind::path_prefix:
      return str_cat("path=", condition.value, "/*");
    case RouteCondition::Kind::method:
      return str_cat("method=", condition.value);
  }
  return {};
}

}  // namespace

std::string_view name_of(Protocol protocol) {
  constexpr std::array<std::string_view, 6> names{"detect", "http1", "http2", "grpc", "tcp", "tls"};
  return names.at(static_cast<std::size_t>(protocol));
}

std::string_view name_of(MtlsMode mode) {
  constexpr std::array<std::string_view, 3> names{"permissive", "strict", "disable"};
  return names.at(static_cast<std::size_t>(mode));
}

std::string_view name_of(DefaultPolicy policy) {
  constexpr std::array<std::string_view, 3> names{"allow", "authenticated", "deny"};
  return names.at(static_cast<std::size_t>(policy));
}

std::string_view name_of(OutboundPolicy policy) {
  return policy == OutboundPolicy::registry_only ? "registry-only" : "allow-any";
}

std::string_view name_of(RbacAction action) {
  constexpr std::array<std::string_view, 3> names{"allow", "deny", "audit"};
  return names.at(static_cast<std::size_t>(action));
}

std::string describe(Millis duration) {
  const auto count = duration.count();
  return count % 1000 == 0 ? str_cat(count / 1000, "s") : str_cat(count, "ms");
}

std::string describe(const RouteRule& rule) {
  std::vector<std::string> conditions;
  conditions.reserve(rule.conditions.size());
  for (const RouteCondition& condition : rule.conditions) conditions.push_back(describe(condition));
  return str_cat(join(conditions, " & "), " -> ", rule.subset);
}

std::string describe(const RbacSource& from) {
  switch (from.kind) {
    case RbacSource::Kind::service_account:
      return str_cat(from.name_space, "/", from.service_account);
    case RbacSource::Kind::name_space:
      return str_cat(from.name_space, "/*");
    case RbacSource::Kind::any_mesh:
      return "*";
    case RbacSource::Kind::anonymous:
      return "anonymous";
  }
  return {};
}

std::string describe(const RbacRule& rule) {
  std::vector<std::string> fields;
  std::vector<std::string> from;
  from.reserve(rule.from.size());
  for (const RbacSource& source : rule.from) from.push_back(describe(source));
  if (!from.empty()) fields.push_back(str_cat("from=", join(from, ",")));
  if (!rule.methods.empty()) fields.push_back(str_cat("methods=", join(rule.methods, ",")));
  if (!rule.paths.empty()) fields.push_back(str_cat("paths=", join(rule.paths, ",")));
  return join(fields, " ");
}

std::string describe(const CallerKey& key) {
  return str_cat(key.kind == CallerKey::Kind::header ? "header(" : "cookie(", key.name, ")");
}

std::string describe(const LoadBalancer& balancer) {
  switch (balancer.kind) {
    case LoadBalancer::Kind::least_request:
      return "least-request";
    case LoadBalancer::Kind::round_robin:
      return "round-robin";
    case LoadBalancer::Kind::random:
      return "random";
    case LoadBalancer::Kind::hash:
      return str_cat("hash(",
                     balancer.key.kind == CallerKey::Kind::header ? "header:" : "cookie:", balancer.key.name,
                     ")");
  }
  return {};
}

std::string describe(const OutlierSettings& outlier) {
  return str_cat("consecutive=", outlier.consecutive, " interval=", describe(outlier.interval),
                 " ejection=", describe(outlier.ejection), " max=", outlier.max_percent, "%");
}

std::string describe(const ServiceLimits& limits) {
  return str_cat("connections=", limits.connections, " pending=", limits.pending,
                 " requests=", limits.requests);
}

std::string describe(const FaultInjection& fault) {
  std::vector<std::string> parts;
  if (fault.delay_percent > 0)
    parts.push_back(str_cat("delay=", describe(fault.delay), "@", fault.delay_percent, "%"));
  if (fault.abort_percent > 0)
    parts.push_back(str_cat("abort=", fault.abort_status, "@", fault.abort_percent, "%"));
  return join(parts, "; ");
}

std::string describe(const Mirror& mirror) {
  return mirror.percent == 0 ? std::string() : str_cat(mirror.subset, "=", mirror.percent, "%");
}

std::string describe_retry_on(const RetryPolicy& policy) {
  std::vector<std::string> names;
  for (const auto& [bit, name] : retry_names) {
    if ((policy.retry_on.value_or(0) & bit) != 0) names.emplace_back(name);
  }
  names.reserve(names.size() + policy.statuses.size());
  for (const std::uint16_t status : policy.statuses) names.push_back(std::to_string(status));
  return join(names, ",");
}

}  // namespace weft::policy
