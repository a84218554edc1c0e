#include <utility>

#include <google/protobuf/stubs/logging.h>

#include "base/limits.h"
#include "base/text.h"
#include "kube/config_codec.h"
#include "weft/v1/discovery.pb.h"

namespace weft::kube {
namespace {

namespace wire = weft::v1;
using google::protobuf::RepeatedPtrField;

// The error value says what was wrong with a peer's bytes; the library must not write to standard error as
// well.
bool parse(google::protobuf::MessageLite& into, std::string_view bytes, std::size_t longest) {
  static const auto silenced = google::protobuf::SetLogHandler(nullptr);
  static_cast<void>(silenced);
  return bytes.size() <= longest && into.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

template <class To, class From>
Result<To> known(From value, From last, std::string_view field) {
  const int number = static_cast<int>(value);
  if (number < 0 || number > static_cast<int>(last))
    return fail(Code::invalid, str_cat(field, ": unknown value ", number));
  return static_cast<To>(number);
}

Result<std::uint16_t> port_number(std::uint32_t port, std::string_view field) {
  if (port > 65535) return fail(Code::invalid, str_cat(field, ": ", port, " is not a port"));
  return static_cast<std::uint16_t>(port);
}

Result<policy::Millis> duration(std::uint64_t milliseconds, std::string_view field) {
  constexpr std::uint64_t longest = 366ULL * 24 * 3600 * 1000;
  if (milliseconds > longest)
    return fail(Code::invalid, str_cat(field, ": ", milliseconds, " ms is too long"));
  return policy::Millis(milliseconds);
}

Result<std::uint16_t> status_code(std::uint32_t status, std::string_view field, std::uint32_t least = 100) {
  if (status < least || status > 599)
    return fail(Code::invalid, str_cat(field, ": ", status, " is not a status code"));
  return static_cast<std::uint16_t>(status);
}

Result<std::uint32_t> percentage(std::uint32_t percent, std::string_view field) {
  if (percent > 100) return fail(Code::invalid, str_cat(field, ": above 100"));
  return percent;
}

Result<Address> address(const std::string& text, std::string_view field) {
  auto parsed = Address::parse(text);
  if (!parsed) return fail(parsed.error().in(field));
  return *parsed;
}

std::vector<std::string> strings(const RepeatedPtrField<std::string>& in) { return {in.begin(), in.end()}; }

Result<policy::Endpoint> get(const wire::Endpoint& in, std::string_view field) {
  policy::Endpoint out;
  WEFT_ASSIGN(out.address, address(in.address(), str_cat(field, ".address")));
  out.identity = in.identity();
  out.subset = in.subset();
  out.workload = in.workload();
  out.workload_name = in.workload_name();
  out.preserve_case = in.preserve_case();
  return out;
}

Result<policy::RetryPolicy> get(const wire::RetryPolicy& in) {
  policy::RetryPolicy out;
  if (in.has_attempts()) out.attempts = in.attempts();
  if (in.has_retry_on()) out.retry_on = in.retry_on();
  for (const std::uint32_t status : in.statuses()) {
    WEFT_ASSIGN(const std::uint16_t code, status_code(status, "retry.statuses"));
    out.statuses.push_back(code);
  }
  if (in.has_per_try_timeout_ms()) {
    WEFT_ASSIGN(out.per_try_timeout, duration(in.per_try_timeout_ms(), "retry.per_try_timeout"));
  }
  out.methods = strings(in.methods());
  WEFT_ASSIGN(out.budget_percent, percentage(in.budget_percent(), "retry.budget_percent"));
  return out;
}

Result<policy::RouteRule> get(const wire::RouteRule& in) {
  policy::RouteRule out;
  for (const wire::RouteCondition& condition : in.conditions()) {
    policy::RouteCondition added;
    WEFT_ASSIGN(added.kind, known<policy::RouteCondition::Kind>(
                                condition.kind(), wire::RouteCondition::METHOD, "routes.conditions.kind"));
    added.name = condition.name();
    added.value = condition.value();
    out.conditions.push_back(std::move(added));
  }
  out.subset = in.subset();
  return out;
}

Result<policy::FaultInjection> get(const wire::FaultInjection& in) {
  policy::FaultInjection out;
  WEFT_ASSIGN(out.delay, duration(in.delay_ms(), "fault.delay"));
  WEFT_ASSIGN(out.delay_percent, percentage(in.delay_percent(), "fault.delay_percent"));
  WEFT_ASSIGN(out.abort_percent, percentage(in.abort_percent(), "fault.abort_percent"));
  if (in.abort_percent() > 0) {
    WEFT_ASSIGN(out.abort_status, status_code(in.abort_status(), "fault.abort_status", 400));
  }
  return out;
}

Result<policy::CallerKey> get(const wire::CallerKey& in, std::string_view field) {
  using Kind = policy::CallerKey::Kind;
  policy::CallerKey out;
  WEFT_ASSIGN(out.kind, known<Kind>(in.kind(), wire::CallerKey::COOKIE, str_cat(field, ".kind")));
  out.name = in.name();
  return out;
}

Result<policy::LoadBalancer> get(const wire::LoadBalancer& in) {
  using Kind = policy::LoadBalancer::Kind;
  policy::LoadBalancer out;
  WEFT_ASSIGN(out.kind, known<Kind>(in.kind(), wire::LoadBalancer::HASH, "load_balancer.kind"));
  if (out.kind == Kind::hash) {
    WEFT_ASSIGN(out.key, get(in.key(), "load_balancer.key"));
  }
  return out;
}

Result<policy::OutlierSettings> get(const wire::Outlier& in) {
  policy::OutlierSettings out;
  if (in.consecutive() == 0) return fail(Code::invalid, "outlier.consecutive: 0");
  out.consecutive = in.consecutive();
  WEFT_ASSIGN(out.interval, duration(in.interval_ms(), "outlier.interval"));
  WEFT_ASSIGN(out.ejection, duration(in.ejection_ms(), "outlier.ejection"));
  if (in.max_percent() > 100) return fail(Code::invalid, "outlier.max_percent: above 100");
  out.max_percent = in.max_percent();
  return out;
}

// How a Service's endpoints are chosen from.
Status get_choice(const wire::Service& in, policy::Service& out) {
  WEFT_ASSIGN(out.load_balancer, get(in.load_balancer()));
  if (in.has_canary_sticky()) {
    WEFT_ASSIGN(out.canary_sticky, get(in.canary_sticky(), "canary_sticky"));
  }
  if (in.has_outlier()) {
    WEFT_ASSIGN(out.outlier, get(in.outlier()));
  }
  if (in.has_limits())
    out.limits = {in.limits().connections(), in.limits().pending(), in.limits().requests()};
  return {};
}

Result<Content> get(const wire::Service& in) {
  policy::Service out;
  if (in.name().empty()) return fail(Code::invalid, "name: empty");
  out.name = in.name();
  out.host = in.host();
  WEFT_ASSIGN(out.port, port_number(in.port(), "port"));
  WEFT_ASSIGN(out.protocol, known<policy::Protocol>(in.protocol(), wire::TLS, "protocol"));
  for (const std::string& text : in.addresses()) {
    WEFT_ASSIGN(Address parsed, address(text, "addresses"));
    out.addresses.push_back(parsed);
  }
  if (in.has_timeout_ms()) {
    WEFT_ASSIGN(out.timeout, duration(in.timeout_ms(), "timeout"));
  }
  WEFT_ASSIGN(out.retry, get(in.retry()));
  for (const wire::RouteRule& rule : in.routes()) {
    WEFT_ASSIGN(policy::RouteRule added, get(rule));
    out.routes.push_back(std::move(added));
  }
  for (const wire::WeightedSubset& subset : in.canary())
    out.canary.push_back(policy::WeightedSubset{subset.subset(), subset.weight()});
  WEFT_TRY(get_choice(in, out));
  for (int i = 0; i < in.endpoints_size(); ++i) {
    WEFT_ASSIGN(policy::Endpoint added, get(in.endpoints(i), str_cat("endpoints[", i, "]")));
    out.endpoints.push_back(std::move(added));
  }
  WEFT_ASSIGN(out.fault, get(in.fault()));
  out.mirror.subset = in.mirror().subset();
  WEFT_ASSIGN(out.mirror.percent, percentage(in.mirror().percent(), "mirror.percent"));
  out.attempts_header = in.attempts_header();
  return Content(std::move(out));
}

Result<Content> get(const wire::AddressOwner& in) {
  using Kind = policy::AddressOwner::Kind;
  policy::AddressOwner out;
  WEFT_ASSIGN(out.address, address(in.address(), "address"));
  WEFT_ASSIGN(out.kind, known<Kind>(in.kind(), wire::AddressOwner::POD, "kind"));
  out.service = in.service();
  if (out.kind == Kind::service && out.service.empty()) return fail(Code::invalid, "service: empty");
  if (out.kind == Kind::pod) {
    WEFT_ASSIGN(out.pod, get(in.pod(), "pod"));
  }
  WEFT_ASSIGN(out.protocol, known<policy::Protocol>(in.protocol(), wire::TLS, "protocol"));
  out.pod_service = in.pod_service();
  return Content(std::move(out));
}

Result<policy::RbacRule> get(const wire::RbacRule& in) {
  policy::RbacRule out;
  out.name = in.name();
  WEFT_ASSIGN(out.action, known<policy::RbacAction>(in.action(), wire::RbacRule::AUDIT, "action"));
  for (const wire::RbacSource& source : in.from()) {
    policy::RbacSource added;
    WEFT_ASSIGN(added.kind,
                known<policy::RbacSource::Kind>(source.kind(), wire::RbacSource::ANONYMOUS, "from.kind"));
    added.name_space = source.namespace_();
    added.service_account = source.service_account();
    out.from.push_back(std::move(added));
  }
  out.methods = strings(in.methods());
  out.paths = strings(in.paths());
  return out;
}

Result<policy::InboundPort> get(const wire::InboundPort& in, std::string_view field) {
  policy::InboundPort out;
  WEFT_ASSIGN(out.port, port_number(in.port(), str_cat(field, ".port")));
  WEFT_ASSIGN(out.mtls, known<policy::MtlsMode>(in.mtls(), wire::DISABLE, str_cat(field, ".mtls")));
  WEFT_ASSIGN(out.protocol, known<policy::Protocol>(in.protocol(), wire::TLS, str_cat(field, ".protocol")));
  for (int i = 0; i < in.rules_size(); ++i) {
    auto rule = get(in.rules(i));
    if (!rule) return fail(rule.error().in(str_cat(field, ".rules[", i, "]")));
    out.rules.push_back(*std::move(rule));
  }
  out.deny_all = in.deny_all();
  out.service = in.service();
  return out;
}

Result<std::optional<policy::OutboundPolicy>> get(wire::InboundPolicy::OutboundPolicy in) {
  using Out = std::optional<policy::OutboundPolicy>;
  switch (in) {
    case wire::InboundPolicy::AS_STARTED:
      return Out();
    case wire::InboundPolicy::ALLOW_ANY:
      return Out(policy::OutboundPolicy::allow_any);
    case wire::InboundPolicy::REGISTRY_ONLY:
      return Out(policy::OutboundPolicy::registry_only);
    default:
      return fail(Code::invalid, str_cat("outbound_policy: unknown value ", static_cast<int>(in)));
  }
}

Result<Content> get(const wire::InboundPolicy& in) {
  policy::InboundPolicy out;
  out.workload = in.workload();
  out.workload_name = in.workload_name();
  out.identity = in.identity();
  WEFT_ASSIGN(out.default_policy,
              known<policy::DefaultPolicy>(in.default_policy(), wire::InboundPolicy::DENY, "default_policy"));
  for (int i = 0; i < in.ports_size(); ++i) {
    WEFT_ASSIGN(policy::InboundPort port, get(in.ports(i), str_cat("ports[", i, "]")));
    if (!out.ports.empty() && out.ports.back().port >= port.port)
      return fail(Code::invalid, str_cat("ports[", i, "]: not sorted by port"));
    out.ports.push_back(std::move(port));
  }
  if (out.ports.empty() || out.ports.front().port != 0)
    return fail(Code::invalid, "ports: the entry of port 0 is missing");
  WEFT_ASSIGN(out.access_log,
              known<policy::AccessLog>(in.access_log(), wire::InboundPolicy::ALL, "access_log"));
  out.log_level = in.log_level();
  WEFT_ASSIGN(out.drain_timeout, duration(in.drain_timeout_ms(), "drain_timeout"));
  if (in.has_tcp_max_age_ms()) {
    WEFT_ASSIGN(out.tcp_max_age, duration(in.tcp_max_age_ms(), "tcp_max_age"));
  }
  WEFT_ASSIGN(out.outbound_policy, get(in.outbound_policy()));
  out.preserve_case = in.preserve_case();
  return Content(std::move(out));
}

Result<Content> get_content(const wire::Resource& in) {
  switch (in.kind_case()) {
    case wire::Resource::kService:
      return get(in.service());
    case wire::Resource::kAddress:
      return get(in.address());
    case wire::Resource::kInbound:
      return get(in.inbound());
    case wire::Resource::kBundle:
      return Content(TrustRoots{strings(in.bundle().roots_pem())});
    case wire::Resource::KIND_NOT_SET:
      break;
  }
  return fail(Code::invalid, "no content");
}

SidecarMessage get(const wire::Hello& in) {
  Hello out;
  out.pod_uid = in.pod_uid();
  out.pod_name = in.pod_name();
  out.name_space = in.namespace_();
  out.address = in.address();
  out.version = in.version();
  out.held = {in.held().begin(), in.held().end()};
  return out;
}

}  // namespace

Result<SidecarMessage> decode_sidecar_message(std::string_view bytes) {
  wire::SidecarMessage in;
  if (!parse(in, bytes, limits::grpc_message_bytes_max))
    return fail(Code::invalid, "message of a sidecar: not a weft.v1.SidecarMessage");
  switch (in.kind_case()) {
    case wire::SidecarMessage::kHello:
      return get(in.hello());
    case wire::SidecarMessage::kSubscribe:
      return SidecarMessage(
          Subscribe{strings(in.subscribe().addresses()), strings(in.subscribe().unsubscribe())});
    case wire::SidecarMessage::kAck:
      return SidecarMessage(Ack{in.ack().nonce(), in.ack().refused()});
    case wire::SidecarMessage::KIND_NOT_SET:
      break;
  }
  return fail(Code::invalid, "message of a sidecar: of no known kind");
}

Result<Update> decode_update(std::string_view bytes) {
  wire::Update in;
  // The sidecar's cache file holds more than one message on the wire may.
  constexpr std::size_t longest = 16 * limits::grpc_message_bytes_max;
  if (!parse(in, bytes, longest)) return fail(Code::invalid, "update of discovery: not a weft.v1.Update");
  Update out;
  out.nonce = in.nonce();
  for (const wire::Resource& resource : in.resources()) {
    auto content = get_content(resource);
    const std::string where = str_cat("resource ", printable(resource.name()));
    if (!content) return fail(content.error().in(where));
    if (const std::string expected = resource_name(*content); expected != resource.name())
      return fail(Code::invalid, str_cat(where, ": its content is that of ", printable(expected)));
    out.resources.push_back(Resource{resource.name(), resource.version(), *std::move(content)});
  }
  out.removed = strings(in.removed());
  return out;
}

}  // namespace weft::kube
