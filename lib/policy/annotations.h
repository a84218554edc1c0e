// Grammar and types of every weft.mesh/* annotation and label, in one place for discovery, webhook and CLI
// (docs/configuration.md is the reference for people). Pure functions; any thread.
//
// A wrong value never takes a good one down: each annotation stands for itself, and the caller hands in what
// was good last time. Typical use, once per change of an object:
//   auto read = parse_service_annotations(object.annotations, "service default/world", held.good);
//   held.good = std::move(read.good);   // report read.errors; use read.settings
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "policy/snapshot.h"

namespace weft::policy {

inline constexpr std::string_view annotation_prefix = "weft.mesh/";

// As metadata.annotations or metadata.labels of a Kubernetes object; keys outside weft.mesh/ are skipped.
using Annotations = std::map<std::string, std::string>;

enum class ObjectKind : std::uint8_t { service, pod, name_space };

struct AnnotationError {
  std::string annotation;         // full key
  std::size_t column = 0;         // 1-based, in bytes of the value; 0: the key itself is wrong
  std::string text;               // "expected …, found …"
  std::string to_string() const;  // "weft.mesh/timeout: column 3: expected …, found '10x'"
  bool operator==(const AnnotationError&) const = default;
};

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;  // included
  bool contains(std::uint16_t port) const { return first <= port && port <= last; }
  bool operator==(const PortRange&) const = default;
};
struct PortMode {
  std::uint16_t port = 0;
  MtlsMode mode = MtlsMode::permissive;
  bool operator==(const PortMode&) const = default;
};

// weft.mesh/allow, deny and audit of one object; names are "<owner> allow #1".
struct RuleSettings {
  std::vector<RbacRule> rules;
  // allow or deny is wrong and there is no last good value: every port it governs denies.
  bool broken = false;
  bool operator==(const RuleSettings&) const = default;
};

struct ServiceSettings {
  std::optional<Millis> timeout;
  RetryPolicy retry;
  std::vector<RouteRule> routes;
  std::vector<WeightedSubset> canary;
  std::string canary_label = "version";
  std::optional<CallerKey> canary_sticky;
  LoadBalancer load_balancer;
  OutlierSettings outlier;
  ServiceLimits limits;
  FaultInjection fault;
  Mirror mirror;
  bool attempts_header = false;
  bool preserve_case = false;
  RuleSettings rbac;
  bool operator==(const ServiceSettings&) const = default;
};

struct PodSettings {
  RuleSettings rbac;
  std::optional<MtlsMode> mtls;
  std::vector<PortMode> mtls_ports;
  std::vector<PortRange> exclude_outbound_ports;
  std::vector<PortRange> exclude_inbound_ports;
  std::vector<Cidr> exclude_outbound_cidrs;
  std::vector<std::uint32_t> exclude_uids;
  std::vector<PortRange> opaque_ports;
  std::optional<std::uint32_t> concurrency;
  std::optional<std::string> log_level;
  std::optional<AccessLog> access_log;
  std::optional<Millis> drain_timeout;
  std::optional<Millis> tcp_max_age;
  std::optional<OutboundPolicy> outbound_policy;
  bool preserve_case = false;
  std::optional<std::string> cpu_request;  // Kubernetes quantities, as written
  std::optional<std::string> cpu_limit;
  std::optional<std::string> memory_request;
  std::optional<std::string> memory_limit;
  bool operator==(const PodSettings&) const = default;
};

struct NamespaceSettings {
  RuleSettings rbac;
  std::optional<MtlsMode> mtls;
  std::optional<DefaultPolicy> default_policy;
  std::optional<OutboundPolicy> outbound_policy;
  bool operator==(const NamespaceSettings&) const = default;
};

template <class Settings>
struct ReadAnnotations {
  Settings settings;                    // of the values in force
  std::vector<AnnotationError> errors;  // every wrong or unknown weft.mesh/ key, in order of the keys
  Annotations good;                     // the values in force: now good, or else good last time
};

ReadAnnotations<ServiceSettings> parse_service_annotations(const Annotations& annotations,
                                                           std::string_view owner = {},
                                                           const Annotations& last_good = {});
ReadAnnotations<PodSettings> parse_pod_annotations(const Annotations& annotations,
                                                   std::string_view owner = {},
                                                   const Annotations& last_good = {});
ReadAnnotations<NamespaceSettings> parse_namespace_annotations(const Annotations& annotations,
                                                               std::string_view owner = {},
                                                               const Annotations& last_good = {});

// The label weft.mesh/inject: "enabled" or "disabled" on a Namespace, "true" or "false" on a pod template.
// `wanted` is nothing where the label is absent or wrong.
struct ReadLabels {
  std::optional<bool> wanted;
  std::vector<AnnotationError> errors;
};
ReadLabels parse_inject_label(ObjectKind kind, const Annotations& labels);

// What is wrong with the annotations of a pod (or its template) or a Namespace, and with that label beside
// them.
std::vector<AnnotationError> errors_of_pod(const Annotations& annotations, const Annotations& labels);
std::vector<AnnotationError> errors_of_namespace(const Annotations& annotations, const Annotations& labels);

// Every name that may stand on an object of this kind, sorted, without the prefix.
std::vector<std::string_view> known_annotations(ObjectKind kind);

}  // namespace weft::policy
