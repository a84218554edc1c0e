#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "base/text.h"
#include "kube/config_codec.h"
#include "weft/v1/discovery.pb.h"

namespace weft::kube {
namespace {

namespace wire = weft::v1;

void put(wire::Endpoint& out, const policy::Endpoint& in) {
  out.set_address(in.address.to_string());
  out.set_identity(in.identity);
  out.set_subset(in.subset);
  out.set_workload(in.workload);
  out.set_workload_name(in.workload_name);
  out.set_preserve_case(in.preserve_case);
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

void put(wire::FaultInjection& out, const policy::FaultInjection& in) {
  out.set_delay_ms(static_cast<std::uint64_t>(in.delay.count()));
  out.set_delay_percent(in.delay_percent);
  out.set_abort_status(in.abort_status);
  out.set_abort_percent(in.abort_percent);
}

void put(wire::CallerKey& out, const policy::CallerKey& in) {
  out.set_kind(static_cast<wire::CallerKey::Kind>(in.kind));
  out.set_name(in.name);
}

void put(wire::LoadBalancer& out, const policy::LoadBalancer& in) {
  out.set_kind(static_cast<wire::LoadBalancer::Kind>(in.kind));
  if (in.kind == policy::LoadBalancer::Kind::hash) put(*out.mutable_key(), in.key);
}

void put(wire::Outlier& out, const policy::OutlierSettings& in) {
  out.set_consecutive(in.consecutive);
  out.set_interval_ms(static_cast<std::uint64_t>(in.interval.count()));
  out.set_ejection_ms(static_cast<std::uint64_t>(in.ejection.count()));
  out.set_max_percent(in.max_percent);
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
  if (in.load_balancer != policy::LoadBalancer()) put(*out.mutable_load_balancer(), in.load_balancer);
  if (in.canary_sticky) put(*out.mutable_canary_sticky(), *in.canary_sticky);
  if (in.outlier != policy::OutlierSettings()) put(*out.mutable_outlier(), in.outlier);
  if (in.limits != policy::ServiceLimits()) {
    out.mutable_limits()->set_connections(in.limits.connections);
    out.mutable_limits()->set_pending(in.limits.pending);
    out.mutable_limits()->set_requests(in.limits.requests);
  }
  for (const policy::Endpoint& endpoint : in.endpoints) put(*out.add_endpoints(), endpoint);
  if (in.fault != policy::FaultInjection()) put(*out.mutable_fault(), in.fault);
  if (in.mirror != policy::Mirror()) {
    out.mutable_mirror()->set_subset(in.mirror.subset);
    out.mutable_mirror()->set_percent(in.mirror.percent);
  }
  out.set_attempts_header(in.attempts_header);
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
  out.set_workload_name(in.workload_name);
  out.set_identity(in.identity);
  out.set_default_policy(static_cast<wire::InboundPolicy::DefaultPolicy>(in.default_policy));
  for (const policy::InboundPort& port : in.ports) {
    wire::InboundPort& added = *out.add_ports();
    added.set_port(port.port);
    added.set_mtls(static_cast<wire::MtlsMode>(port.mtls));
    added.set_protocol(static_cast<wire::Protocol>(port.protocol));
    for (const policy::RbacRule& rule : port.rules) put(*added.add_rules(), rule);
    added.set_deny_all(port.deny_all);
    added.set_service(port.service);
  }
  out.set_access_log(static_cast<wire::InboundPolicy::AccessLog>(in.access_log));
  out.set_log_level(in.log_level);
  out.set_drain_timeout_ms(static_cast<std::uint64_t>(in.drain_timeout.count()));
  if (in.tcp_max_age) out.set_tcp_max_age_ms(static_cast<std::uint64_t>(in.tcp_max_age->count()));
  if (in.outbound_policy) {
    out.set_outbound_policy(*in.outbound_policy == policy::OutboundPolicy::allow_any
                                ? wire::InboundPolicy::ALLOW_ANY
                                : wire::InboundPolicy::REGISTRY_ONLY);
  }
  out.set_preserve_case(in.preserve_case);
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

}  // namespace weft::kube
