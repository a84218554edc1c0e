#include "policy/values.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"

namespace weft::policy::values {

using grammar::Choice;
using grammar::choice;
using grammar::fault;
using grammar::Halves;
using grammar::split_at;
using grammar::split_once;

namespace {

constexpr std::size_t subsets_max = 64;

constexpr Choice<MtlsMode> mtls_modes[] = {
    {"strict", MtlsMode::strict}, {"permissive", MtlsMode::permissive}, {"disable", MtlsMode::disable}};

struct Condition {
  std::string_view name;
  std::uint32_t bit;
};
constexpr Condition retry_conditions[] = {
    {"5xx", retry_5xx},
    {"gateway-error", retry_gateway_error},
    {"reset", retry_reset},
    {"connect-failure", retry_connect_failure},
    {"refused-stream", retry_refused_stream},
    {"retriable-4xx", retry_retriable_4xx},
    {"per-try-timeout", retry_per_try_timeout},
    {"cancelled", retry_grpc_cancelled},
    {"deadline-exceeded", retry_grpc_deadline_exceeded},
    {"internal", retry_grpc_internal},
    {"resource-exhausted", retry_grpc_resource_exhausted},
    {"unavailable", retry_grpc_unavailable},
};

// "key=value key=value …", each key once.
struct KeyValue {
  Piece key;
  Piece value;
};
Parsed<std::vector<KeyValue>> key_values(const Piece& value, std::string_view expected) {
  std::vector<KeyValue> out;
  for (const Piece& word : split_at(value, " \t")) {
    if (word.empty()) continue;
    const Halves halves = split_once(word, "=");
    if (!halves.found) return fault(word, std::string(expected));
    for (const KeyValue& before : out) {
      if (before.key.text == halves.left.text)
        return fault(halves.left, str_cat(halves.left.text, "= only once"));
    }
    out.push_back(KeyValue{halves.left, halves.right});
  }
  if (out.empty()) return fault(value, std::string(expected));
  return out;
}

// The name of a header or of a cookie.
Parsed<CallerKey> caller_key(const Piece& kind, const Piece& name, std::string_view expected) {
  constexpr Choice<CallerKey::Kind> kinds[] = {{"header", CallerKey::Kind::header},
                                               {"cookie", CallerKey::Kind::cookie}};
  WEFT_PARSE(const CallerKey::Kind of, choice(kind, kinds));
  WEFT_PARSE(std::string named, grammar::token(name, expected));
  return CallerKey{of, of == CallerKey::Kind::header ? ascii_lower(named) : std::move(named)};
}

// "name(argument)": both parts.
std::optional<Halves> call(const Piece& value) {
  const std::size_t open = value.text.find('(');
  if (open == std::string_view::npos || !value.text.ends_with(')')) return std::nullopt;
  return Halves{value.from(0, open), value.from(open + 1, value.text.size() - open - 2), true};
}

}  // namespace

Parsed<RetryOnValue> retry_on(const Piece& value) {
  RetryOnValue out;
  for (const Piece& item : split_at(value, ",\n")) {
    const auto named = std::find_if(std::begin(retry_conditions), std::end(retry_conditions),
                                    [&item](const Condition& c) { return c.name == item.text; });
    if (named != std::end(retry_conditions)) {
      out.bits |= named->bit;
      continue;
    }
    const auto status = parse_number<std::uint16_t>(item.text);
    if (!status || *status < 400 || *status > 599) {
      std::string expected = "a status code from 400 to 599 or one of";
      for (const Condition& condition : retry_conditions) expected.append(" ").append(condition.name);
      return fault(item, std::move(expected));
    }
    if (std::find(out.statuses.begin(), out.statuses.end(), *status) == out.statuses.end()) {
      out.statuses.push_back(*status);
    }
  }
  return out;
}

Parsed<std::vector<std::string>> retry_methods(const Piece& value) {
  std::vector<std::string> out;
  if (value.text == "*") return std::vector<std::string>{"*"};
  for (const Piece& item : split_at(value, ",\n")) {
    if (item.text == "*") return fault(item, "* alone, or methods like POST,PATCH");
    WEFT_PARSE(std::string method, grammar::token(item, "a method like POST, or * for all"));
    out.push_back(std::move(method));
  }
  return out;
}

Parsed<std::vector<WeightedSubset>> canary(const Piece& value) {
  std::vector<WeightedSubset> out;
  std::uint64_t sum = 0;
  for (const Piece& item : split_at(value, ",\n")) {
    const Halves halves = split_once(item, "=");
    if (!halves.found) return fault(item, "a subset and its weight, like v1=90");
    WEFT_PARSE(std::string subset, grammar::label_value(halves.left));
    WEFT_PARSE(const std::uint32_t weight, grammar::number(halves.right, 0, 1'000'000, "a weight"));
    for (const WeightedSubset& before : out) {
      if (before.subset == subset) return fault(halves.left, "each subset only once");
    }
    if (out.size() == subsets_max) return fault(item, str_cat("at most ", subsets_max, " subsets"));
    out.push_back(WeightedSubset{std::move(subset), weight});
    sum += weight;
  }
  if (sum == 0) return fault(value, "weights with a sum above 0");
  return out;
}

Parsed<std::vector<PortMode>> mtls_ports(const Piece& value) {
  std::vector<PortMode> out;
  for (const Piece& item : split_at(value, ",\n")) {
    const Halves halves = split_once(item, "=");
    if (!halves.found) return fault(item, "a port and its mode, like 8080=permissive");
    WEFT_PARSE(const std::uint16_t port, grammar::port(halves.left));
    WEFT_PARSE(const MtlsMode mode, mtls(halves.right));
    for (const PortMode& before : out) {
      if (before.port == port) return fault(halves.left, "each port only once");
    }
    out.push_back(PortMode{port, mode});
  }
  return out;
}

Parsed<CallerKey> sticky(const Piece& value) {
  constexpr std::string_view form = "header(x-user) or cookie(sid)";
  const auto parts = call(value);
  if (!parts || (parts->left.text != "header" && parts->left.text != "cookie"))
    return fault(value, std::string(form));
  return caller_key(parts->left, parts->right, form);
}

Parsed<LoadBalancer> load_balancer(const Piece& value) {
  using Kind = LoadBalancer::Kind;
  constexpr std::string_view form =
      "least-request, round-robin, random, hash(header:x-user) or hash(cookie:sid)";
  if (value.text == "least-request") return LoadBalancer{Kind::least_request, {}};
  if (value.text == "round-robin") return LoadBalancer{Kind::round_robin, {}};
  if (value.text == "random") return LoadBalancer{Kind::random, {}};
  const auto parts = call(value);
  if (!parts || parts->left.text != "hash") return fault(value, std::string(form));
  const Halves of = split_once(parts->right, ":");
  if (!of.found) return fault(parts->right, "header:x-user or cookie:sid");
  WEFT_PARSE(CallerKey key, caller_key(of.left, of.right, form));
  return LoadBalancer{Kind::hash, std::move(key)};
}

Parsed<OutlierSettings> outlier(const Piece& value) {
  constexpr std::string_view form = "consecutive=, interval=, ejection= or max=";
  OutlierSettings out;
  WEFT_PARSE(const std::vector<KeyValue> fields, key_values(value, form));
  for (const KeyValue& field : fields) {
    if (field.key.text == "consecutive") {
      WEFT_PARSE(out.consecutive, grammar::number(field.value, 1, 1000, "a number of failures"));
    } else if (field.key.text == "interval") {
      WEFT_PARSE(out.interval, grammar::duration(field.value));
    } else if (field.key.text == "ejection") {
      WEFT_PARSE(out.ejection, grammar::duration(field.value));
    } else if (field.key.text == "max") {
      WEFT_PARSE(out.max_percent, grammar::percent(field.value));
    } else {
      return fault(field.key, std::string(form));
    }
  }
  return out;
}

Parsed<ServiceLimits> limits(const Piece& value) {
  constexpr std::string_view form = "connections=, pending= or requests=";
  ServiceLimits out;
  WEFT_PARSE(const std::vector<KeyValue> fields, key_values(value, form));
  for (const KeyValue& field : fields) {
    std::uint32_t* const limit = field.key.text == "connections" ? &out.connections
                                 : field.key.text == "pending"   ? &out.pending
                                 : field.key.text == "requests"  ? &out.requests
                                                                 : nullptr;
    if (limit == nullptr) return fault(field.key, std::string(form));
    WEFT_PARSE(*limit, grammar::number(field.value, 1, 10'000'000, "a limit"));
  }
  return out;
}

Parsed<MtlsMode> mtls(const Piece& value) { return choice(value, mtls_modes); }

Parsed<DefaultPolicy> default_policy(const Piece& value) {
  constexpr Choice<DefaultPolicy> choices[] = {{"allow", DefaultPolicy::allow},
                                               {"authenticated", DefaultPolicy::authenticated},
                                               {"deny", DefaultPolicy::deny}};
  return choice(value, choices);
}

Parsed<OutboundPolicy> outbound_policy(const Piece& value) {
  constexpr Choice<OutboundPolicy> choices[] = {{"allow-any", OutboundPolicy::allow_any},
                                                {"registry-only", OutboundPolicy::registry_only}};
  return choice(value, choices);
}

Parsed<AccessLog> access_log(const Piece& value) {
  constexpr Choice<AccessLog> choices[] = {
      {"off", AccessLog::off}, {"errors", AccessLog::errors}, {"all", AccessLog::all}};
  return choice(value, choices);
}

Parsed<std::string> log_level(const Piece& value) {
  constexpr Choice<std::string_view> choices[] = {
      {"debug", "debug"}, {"info", "info"}, {"warning", "warning"}, {"error", "error"}, {"off", "off"}};
  WEFT_PARSE(const std::string_view level, choice(value, choices));
  return std::string(level);
}

Parsed<Mirror> mirror(const Piece& value) {
  const Halves halves = split_once(value, "=");
  if (!halves.found) return fault(value, "a subset and its share, like v2=10%");
  Mirror out;
  WEFT_PARSE(out.subset, grammar::label_value(halves.left));
  WEFT_PARSE(out.percent, grammar::percent(halves.right));
  return out;
}

Parsed<FaultInjection> fault_injection(const Piece& value) {
  constexpr std::string_view form = "delay=5s@10% or abort=503@1%";
  FaultInjection out;
  bool has_delay = false;
  bool has_abort = false;
  for (const Piece& item : split_at(value, ";\n")) {
    const Halves halves = split_once(item, "=");
    const Halves share = split_once(halves.right, "@");
    if (!halves.found || !share.found) return fault(item, std::string(form));
    const bool is_delay = halves.left.text == "delay";
    if (!is_delay && halves.left.text != "abort") return fault(halves.left, std::string(form));
    if (std::exchange(is_delay ? has_delay : has_abort, true))
      return fault(halves.left, str_cat(halves.left.text, "= only once"));
    if (is_delay) {
      WEFT_PARSE(out.delay, grammar::duration(share.left));
      WEFT_PARSE(out.delay_percent, grammar::percent(share.right));
    } else {
      WEFT_PARSE(const std::uint32_t status, grammar::number(share.left, 400, 599, "a status code"));
      out.abort_status = static_cast<std::uint16_t>(status);
      WEFT_PARSE(out.abort_percent, grammar::percent(share.right));
    }
  }
  return out;
}

Parsed<bool> on_or_off(const Piece& value) {
  constexpr Choice<bool> choices[] = {{"true", true}, {"false", false}};
  return choice(value, choices);
}

}  // namespace weft::policy::values
