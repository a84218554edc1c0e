// The configuration that decides, as plain immutable values. Discovery's translate makes them, the discovery
// stream (proto/weft/v1/discovery.proto mirrors this file) carries them, and the sidecar's workers share them
// as shared_ptr<const …>. Nothing here does I/O.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"

namespace weft::policy {

using Millis = std::chrono::milliseconds;

// What a port was declared to speak (appProtocol, port name prefix); `detect` when nothing was said.
enum class Protocol : std::uint8_t { detect, http1, http2, grpc, tcp, tls };
constexpr bool is_http(Protocol protocol) {
  return protocol == Protocol::http1 || protocol == Protocol::http2 || protocol == Protocol::grpc;
}
enum class MtlsMode : std::uint8_t { permissive, strict, disable };
enum class DefaultPolicy : std::uint8_t { allow, authenticated, deny };
enum class OutboundPolicy : std::uint8_t { allow_any, registry_only };

// ---- outbound: how callers reach a Service ----

struct Endpoint {
  Address address;
  std::string identity;        // SPIFFE id to demand of it; empty: no sidecar there, plaintext
  std::string subset;          // value of the canary label of its pod; may be empty
  std::string workload;        // "namespace/pod"
  std::string workload_name;   // the Deployment or other controller of the pod; for metrics
  bool preserve_case = false;  // of header names: what HTTP/2 between sidecars would lose
  bool operator==(const Endpoint&) const = default;
};

// Conditions that make a try worth repeating, as bits (names: docs/configuration.md).
enum RetryOn : std::uint32_t {
  retry_5xx = 1u << 0,
  retry_gateway_error = 1u << 1,  // 502, 503, 504
  retry_reset = 1u << 2,
  retry_connect_failure = 1u << 3,
  retry_refused_stream = 1u << 4,
  retry_retriable_4xx = 1u << 5,  // 409
  retry_per_try_timeout = 1u << 6,
  retry_grpc_cancelled = 1u << 7,
  retry_grpc_deadline_exceeded = 1u << 8,
  retry_grpc_internal = 1u << 9,
  retry_grpc_resource_exhausted = 1u << 10,
  retry_grpc_unavailable = 1u << 11,
};

struct RetryPolicy {
  std::optional<std::uint32_t> attempts;  // further tries after the first; nothing: only the safe ones (§ 9)
  std::optional<std::uint32_t> retry_on;  // RetryOn bits; nothing: the default set
  std::vector<std::uint16_t> statuses;    // extra status codes named in retry-on
  std::optional<Millis> per_try_timeout;
  std::vector<std::string> methods;  // beyond the idempotent ones; {"*"}: all
  std::uint32_t budget_percent = 20;
  bool operator==(const RetryPolicy&) const = default;
};

struct WeightedSubset {
  std::string subset;
  std::uint32_t weight = 0;
  bool operator==(const WeightedSubset&) const = default;
};

// One line of weft.mesh/routes. All conditions must hold.
struct RouteCondition {
  enum class Kind : std::uint8_t { header_equals, header_matches, path_exact, path_prefix, method };
  Kind kind = Kind::path_exact;
  std::string name;   // header name, lower case
  std::string value;  // value, regular expression, path or method
  bool operator==(const RouteCondition&) const = default;
};
struct RouteRule {
  std::vector<RouteCondition> conditions;
  std::string subset;
  bool operator==(const RouteRule&) const = default;
};

// weft.mesh/fault: trouble made on purpose at the caller's side. The two are independent of each other.
struct FaultInjection {
  Millis delay{0};
  std::uint32_t delay_percent = 0;
  std::uint16_t abort_status = 0;
  std::uint32_t abort_percent = 0;
  bool operator==(const FaultInjection&) const = default;
};

// weft.mesh/mirror: copies of requests to a subset, whose answers nobody waits for.
struct Mirror {
  std::string subset;
  std::uint32_t percent = 0;  // 0: none
  bool operator==(const Mirror&) const = default;
};

// What of a request says whose it is.
struct CallerKey {
  enum class Kind : std::uint8_t { header, cookie };
  Kind kind = Kind::header;
  std::string name;  // of a header in lower case, of a cookie as it is
  bool operator==(const CallerKey&) const = default;
};

struct LoadBalancer {
  enum class Kind : std::uint8_t { least_request, round_robin, random, hash };
  Kind kind = Kind::least_request;
  CallerKey key;  // of hash
  bool operator==(const LoadBalancer&) const = default;
};

struct OutlierSettings {
  std::uint32_t consecutive = 5;   // failures in a row
  Millis interval{10000};          // a failure counts on only if the one before is no older than this
  Millis ejection{30000};          // the first ejection; each further one doubles
  std::uint32_t max_percent = 50;  // of a Service's endpoints ejected at once, rounded down
  bool operator==(const OutlierSettings&) const = default;
};

// Of one Service in one sidecar, all workers together.
struct ServiceLimits {
  std::uint32_t connections = 1024;  // upstream connections; a request that finds none free waits
  std::uint32_t pending = 1024;      // requests that wait for a connection
  std::uint32_t requests = 1024;     // requests that have one
  bool operator==(const ServiceLimits&) const = default;
};

struct Service {
  std::string name;        // resource name: "namespace/service:port"
  std::string host;        // "service.namespace.svc.cluster.local"
  std::uint16_t port = 0;  // the Service's port
  Protocol protocol = Protocol::detect;
  std::vector<Address> addresses;  // ClusterIPs with the port; headless: none
  std::optional<Millis> timeout;
  RetryPolicy retry;
  std::vector<RouteRule> routes;       // before the canary, first match wins
  std::vector<WeightedSubset> canary;  // empty: all endpoints alike
  std::optional<CallerKey> canary_sticky;
  LoadBalancer load_balancer;
  OutlierSettings outlier;
  ServiceLimits limits;
  std::vector<Endpoint> endpoints;  // ready ones
  FaultInjection fault;
  Mirror mirror;
  bool attempts_header = false;  // responses say in x-weft-attempts how many tries were made
  bool operator==(const Service&) const = default;
};

// What an address a sidecar asked for is.
struct AddressOwner {
  enum class Kind : std::uint8_t { unknown_outside, unknown_inside, service, pod };
  Address address;                       // what was asked; port 0 asks only who owns the IP
  Kind kind = Kind::unknown_outside;     // inside: within the mesh's pod or Service ranges, but nobody's
  std::string service;                   // kind service: resource name of the Service
  Endpoint pod;                          // kind pod: the pod at this address; identity empty: not meshed
  Protocol protocol = Protocol::detect;  // kind pod: as declared by a Service with that target port
  std::string pod_service;  // kind pod: a Service with this target port and pod, for its policy; may be empty
  bool operator==(const AddressOwner&) const = default;
};

// ---- the pod itself: who may call it, and how its sidecar is to behave ----

struct RbacSource {
  enum class Kind : std::uint8_t { service_account, name_space, any_mesh, anonymous };
  Kind kind = Kind::any_mesh;
  std::string name_space;
  std::string service_account;
  bool operator==(const RbacSource&) const = default;
};

enum class RbacAction : std::uint8_t { allow, deny, audit };

struct RbacRule {
  std::string name;  // for logs and x-weft-rule: "service default/world allow #1"
  RbacAction action = RbacAction::allow;
  std::vector<RbacSource> from;      // any of them; empty: everyone
  std::vector<std::string> methods;  // empty: all
  std::vector<std::string> paths;    // "/x" or "/x/*"; empty: all
  bool operator==(const RbacRule&) const = default;
};

// What governs one port of the pod. Port 0 stands for every port that has no entry of its own.
struct InboundPort {
  std::uint16_t port = 0;
  MtlsMode mtls = MtlsMode::permissive;
  Protocol protocol = Protocol::detect;
  std::string service;  // "namespace/service:port": one that leads here; empty: none. For log and metrics
  std::vector<RbacRule> rules;
  // A rule of this port was broken and there is no last good one: nothing may pass.
  bool deny_all = false;
  bool operator==(const InboundPort&) const = default;
};

enum class AccessLog : std::uint8_t { errors, off, all };

struct InboundPolicy {
  std::string workload;       // "namespace/pod"
  std::string workload_name;  // as Endpoint has it
  std::string identity;       // the pod's own SPIFFE id
  DefaultPolicy default_policy = DefaultPolicy::allow;
  std::vector<InboundPort> ports;  // sorted by port; the one with port 0 is first and always there
  AccessLog access_log = AccessLog::errors;
  std::string log_level;  // empty: as started
  Millis drain_timeout{45000};
  std::optional<Millis> tcp_max_age;  // opaque TCP ends then, or when the caller's certificate expires
  std::optional<OutboundPolicy> outbound_policy;  // nothing: as started
  bool preserve_case = false;                     // of header names, wherever the pod calls
  bool operator==(const InboundPolicy&) const = default;
};

}  // namespace weft::policy
