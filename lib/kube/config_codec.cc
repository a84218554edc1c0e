#include "kube/config_codec.h"

#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "base/limits.h"
#include "base/text.h"
#include "weft/v1/discovery.pb.h"

namespace weft::kube {
namespace {

namespace wire = weft::v1;
using google::protobuf::RepeatedPtrField;

// ---- values to messages ----

void put(wire::Endpoint& out, const policy::Endpoint& in) {
  out.set_address(in.address.to_string());
  out.set_identity(in.identity);
  out.set_subset(in.subset);
  out.set_workload(in.workload);
}

void put(wire::RetryPolicy& out, const policy::RetryPolicy& in) {
  if (in.attempts) out.set_attempts(*in.attempts);
  if (in.retry_on) out.set_retry_on(*in.retry_on);
  for (const std::uint16_t status : in.statuses) out.add_statuses(status);
  if (in.per_try_timeout) out.set_per_try_timeout_ms(static_cast<std::uint64_t>(in.per_try_timeout->count()));
  for (const std::string& method : in.methods) out.add_methods(method);
  out.set_budget_percent(in.budget_percent);
}

void put(wire::RouteRule& out, const policy::RouteRule& in) {
  for (const policy::RouteCondition& condition : in.conditions) {
    wire::RouteCondition& added = *out.add_conditions();
    added.set_kind(static_cast<wire::RouteCondition::Kind>(condition.kind));
    added.set_name(condition.name);
    added.set_value(condition.value);
  }
  out.set_subset(in.subset);
}

void put(wire::Service& out, const policy::Service& in) {
  out.set_name(in.name);
  out.set_host(in.host);
  out.set_port(in.port);
  out.set_protocol(static_cast<wire::Protocol>(in.protocol));
  for (const Address& address : in.addresses) out.add_addresses(address.to_string());
  if (in.timeout) out.set_timeout_ms(static_cast<std::uint64_t>(in.timeout->count()));
  put(*out.mutable_retry(), in.retry);
  for (const policy::RouteRule& rule : in.routes) put(*out.add_routes(), rule);
  for (const policy::WeightedSubset& subset : in.canary) {
    wire::WeightedSubset& added = *out.add_canary();
    added.set_subset(subset.subset);
    added.set_weight(subset.weight);
  }
  for (const policy::Endpoint& endpoint : in.endpoints) put(*out.add_endpoints(), endpoint);
}

void put(wire::AddressOwner& out, const policy::AddressOwner& in) {
  out.set_address(in.address.to_string());
  out.set_kind(static_cast<wire::AddressOwner::Kind>(in.kind));
  out.set_service(in.service);
  if (in.kind == policy::AddressOwner::Kind::pod) put(*out.mutable_pod(), in.pod);
  out.set_protocol(static_cast<wire::Protocol>(in.protocol));
  out.set_pod_service(in.pod_service);
}

void put(wire::RbacRule& out, const policy::RbacRule& in) {
  out.set_name(in.name);
  out.set_action(static_cast<wire::RbacRule::Action>(in.action));
  for (const policy::RbacSource& source : in.from) {
    wire::RbacSource& added = *out.add_from();
    added.set_kind(static_cast<wire::RbacSource::Kind>(source.kind));
    added.set_namespace_(source.name_space);
    added.set_service_account(source.service_account);
  }
  for (const std::string& method : in.methods) out.add_methods(method);
  for (const std::string& path : in.paths) out.add_paths(path);
}

void put(wire::InboundPolicy& out, const policy::InboundPolicy& in) {
  out.set_workload(in.workload);
  out.set_identity(in.identity);
  out.set_default_policy(static_cast<wire::InboundPolicy::DefaultPolicy>(in.default_policy));
  for (const policy::InboundPort& port : in.ports) {
    wire::InboundPort& added = *out.add_ports();
    added.set_port(port.port);
    added.set_mtls(static_cast<wire::MtlsMode>(port.mtls));
    added.set_protocol(static_cast<wire::Protocol>(port.protocol));
    for (const policy::RbacRule& rule : port.rules) put(*added.add_rules(), rule);
    added.set_deny_all(port.deny_all);
  }
  out.set_access_log(static_cast<wire::InboundPolicy::AccessLog>(in.access_log));
  out.set_log_level(in.log_level);
  out.set_drain_timeout_ms(static_cast<std::uint64_t>(in.drain_timeout.count()));
}

void put(wire::Resource& out, const Content& content) {
  if (const auto* service = std::get_if<policy::Service>(&content)) put(*out.mutable_service(), *service);
  if (const auto* owner = std::get_if<policy::AddressOwner>(&content)) put(*out.mutable_address(), *owner);
  if (const auto* inbound = std::get_if<policy::InboundPolicy>(&content))
    put(*out.mutable_inbound(), *inbound);
  if (const auto* roots = std::get_if<TrustRoots>(&content)) {
    wire::TrustBundle& bundle = *out.mutable_bundle();
    for (const std::string& root : roots->roots_pem) bundle.add_roots_pem(root);
  }
}

// The same value always gives the same bytes, map fields in order: versions are made from them.
std::string to_bytes(const google::protobuf::MessageLite& message) {
  std::string out;
  google::protobuf::io::StringOutputStream sink(&out);
  google::protobuf::io::CodedOutputStream stream(&sink);
  stream.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&stream);
  stream.Trim();
  return out;
}

// The error value says what was wrong with a peer's bytes; the library must not write to standard error as
// well.
bool parse(google::protobuf::MessageLite& into, std::string_view bytes, std::size_t longest) {
  static const auto silenced = google::protobuf::SetLogHandler(nullptr);
  static_cast<void>(silenced);
  return bytes.size() <= longest && into.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// FNV-1a with 128 bits: no secret is guarded by it, it tells one state from the next.
std::string content_hash(std::string_view bytes) {
  __extension__ using Wide = unsigned __int128;
  constexpr Wide prime = (Wide{0x0000000001000000ULL} << 64) | 0x000000000000013BULL;
  Wide hash = (Wide{0x6c62272e07bb0142ULL} << 64) | 0x62b821756295c58dULL;
  for (const char byte : bytes) hash = (hash ^ static_cast<std::uint8_t>(byte)) * prime;
  std::string raw;
  for (int shift = 120; shift >= 0; shift -= 8)
    raw.push_back(static_cast<char>(static_cast<std::uint8_t>(hash >> shift)));
  return hex_encode(raw);
}

// ---- messages to values ----

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
  return out;
}

Result<policy::RetryPolicy> get(const wire::RetryPolicy& in) {
  policy::RetryPolicy out;
  if (in.has_attempts()) out.attempts = in.attempts();
  if (in.has_retry_on()) out.retry_on = in.retry_on();
  for (const std::uint32_t status : in.statuses()) {
    if (status < 100 || status > 599)
      return fail(Code::invalid, str_cat("retry.statuses: ", status, " is not a status code"));
    out.statuses.push_back(static_cast<std::uint16_t>(status));
  }
  if (in.has_per_try_timeout_ms()) {
    WEFT_ASSIGN(out.per_try_timeout, duration(in.per_try_timeout_ms(), "retry.per_try_timeout"));
  }
  out.methods = strings(in.methods());
  if (in.budget_percent() > 100) return fail(Code::invalid, "retry.budget_percent: above 100");
  out.budget_percent = in.budget_percent();
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
  for (int i = 0; i < in.endpoints_size(); ++i) {
    WEFT_ASSIGN(policy::Endpoint added, get(in.endpoints(i), str_cat("endpoints[", i, "]")));
    out.endpoints.push_back(std::move(added));
  }
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
  return out;
}

Result<Content> get(const wire::InboundPolicy& in) {
  policy::InboundPolicy out;
  out.workload = in.workload();
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

}  // namespace

std::string encode(const SidecarMessage& message) {
  wire::SidecarMessage out;
  if (const auto* hello = std::get_if<Hello>(&message)) {
    wire::Hello& to = *out.mutable_hello();
    to.set_pod_uid(hello->pod_uid);
    to.set_pod_name(hello->pod_name);
    to.set_namespace_(hello->name_space);
    to.set_address(hello->address);
    to.set_version(hello->version);
    for (const auto& [name, version] : hello->held) (*to.mutable_held())[name] = version;
  }
  if (const auto* subscribe = std::get_if<Subscribe>(&message)) {
    wire::Subscribe& to = *out.mutable_subscribe();
    for (const std::string& text : subscribe->addresses) to.add_addresses(text);
    for (const std::string& text : subscribe->unsubscribe) to.add_unsubscribe(text);
  }
  if (const auto* ack = std::get_if<Ack>(&message)) {
    out.mutable_ack()->set_nonce(ack->nonce);
    out.mutable_ack()->set_refused(ack->refused);
  }
  return to_bytes(out);
}

Result<SidecarMessage> decode_sidecar_message(std::string_view bytes) {
  wire::SidecarMessage in;
  if (!parse(in, bytes, limits::grpc_message_bytes_max))
    return fail(Code::invalid, "message of a sidecar: not a weft.v1.SidecarMessage");
  switch (in.kind_case()) {
    case wire::SidecarMessage::kHello: {
      const wire::Hello& hello = in.hello();
      return SidecarMessage(Hello{hello.pod_uid(),
                                  hello.pod_name(),
                                  hello.namespace_(),
                                  hello.address(),
                                  hello.version(),
                                  {hello.held().begin(), hello.held().end()}});
    }
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

std::string service_resource_name(std::string_view service) { return str_cat("service/", service); }

std::string address_resource_name(const Address& address) { return str_cat("address/", address.to_string()); }

std::string resource_name(const Content& content) {
  if (const auto* service = std::get_if<policy::Service>(&content))
    return service_resource_name(service->name);
  if (const auto* owner = std::get_if<policy::AddressOwner>(&content))
    return address_resource_name(owner->address);
  return std::holds_alternative<policy::InboundPolicy>(content) ? "inbound" : "bundle";
}

EncodedResource encode_resource(const Content& content) {
  wire::Resource out;
  out.set_name(resource_name(content));
  put(out, content);
  EncodedResource encoded{out.name(), content_hash(to_bytes(out)), {}};
  out.set_version(encoded.version);
  encoded.bytes = to_bytes(out);
  return encoded;
}

std::string encode_update(std::uint64_t nonce,
                          const std::vector<std::shared_ptr<const EncodedResource>>& resources,
                          const std::vector<std::string>& removed) {
  // Messages may be concatenated (the Protocol Buffers encoding specification, "Last One Wins"): the
  // resources were serialised before, each is put in as one length-delimited field.
  wire::Update rest;
  rest.set_nonce(nonce);
  for (const std::string& name : removed) rest.add_removed(name);
  std::string out = to_bytes(rest);
  google::protobuf::io::StringOutputStream sink(&out);
  google::protobuf::io::CodedOutputStream stream(&sink);
  constexpr std::uint32_t length_delimited = 2;
  for (const auto& resource : resources) {
    stream.WriteTag((static_cast<std::uint32_t>(wire::Update::kResourcesFieldNumber) << 3) |
                    length_delimited);
    stream.WriteVarint32(static_cast<std::uint32_t>(resource->bytes.size()));
    stream.WriteString(resource->bytes);
  }
  stream.Trim();
  return out;
}

std::string encode(const Update& update) {
  wire::Update out;
  out.set_nonce(update.nonce);
  for (const Resource& resource : update.resources) {
    wire::Resource& added = *out.add_resources();
    added.set_name(resource.name);
    added.set_version(resource.version);
    put(added, resource.content);
  }
  for (const std::string& name : update.removed) out.add_removed(name);
  return to_bytes(out);
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
