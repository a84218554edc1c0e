// The little of the Kubernetes API that weft needs, as plain values. Each object keeps its JSON text
// (`json`), so that whoever changes it (injector, `weft annotate`) patches the original and not this excerpt.
// Namespaced objects always have their namespace filled in. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "policy/snapshot.h"

namespace weft::kube {

using Labels = std::map<std::string, std::string>;

inline constexpr std::string_view sidecar_container_name = "weft-sidecar";
inline constexpr std::string_view status_annotation = "weft.mesh/status";
inline constexpr std::string_view inject_label = "weft.mesh/inject";

// Where an object stood, for messages; `line` is 1-based, 0 when unknown.
struct Origin {
  std::string file;
  unsigned line = 0;
  unsigned document = 0;  // 1-based
  bool operator==(const Origin&) const = default;
};

struct Meta {
  std::string name_space;  // empty for cluster-scoped kinds
  std::string name;
  std::string generate_name;  // pods under admission often have no name yet
  std::string uid;
  std::string resource_version;
  Labels labels;
  Labels annotations;
  std::string deletion_timestamp;  // RFC 3339; empty: it is not going away
  Origin origin;
  bool operator==(const Meta&) const = default;
};

// A port by number or by the name of a container port.
struct PortRef {
  std::uint16_t number = 0;
  std::string name;  // set: by name, and number is 0
  bool operator==(const PortRef&) const = default;
};

struct ContainerPort {
  std::string name;
  std::uint16_t port = 0;
  std::string transport = "TCP";
  bool operator==(const ContainerPort&) const = default;
};

struct EnvironmentVariable {
  std::string name;
  std::string value;
  std::string field_path;  // valueFrom.fieldRef: "metadata.name", "status.podIP"; empty: `value` counts
  bool operator==(const EnvironmentVariable&) const = default;
};

// What a probe or a lifecycle hook does.
struct Action {
  enum class Kind : std::uint8_t { exec, http_get, tcp_socket, grpc, sleep };
  Kind kind = Kind::exec;
  std::vector<std::string> command;  // exec
  std::string path;                  // http_get
  std::string host;                  // http_get, tcp_socket; empty: the pod's address
  PortRef port;                      // http_get, tcp_socket, grpc
  bool https = false;                // http_get
  Labels headers;                    // http_get
  std::string grpc_service;          // grpc
  std::chrono::seconds sleep{0};     // sleep
  bool operator==(const Action&) const = default;
};

struct Probe {
  Action action;
  std::chrono::seconds initial_delay{0};
  std::chrono::seconds period{10};
  std::chrono::seconds timeout{1};
  std::uint32_t success_threshold = 1;
  std::uint32_t failure_threshold = 3;
  bool operator==(const Probe&) const = default;
};

struct SecurityContext {
  std::optional<std::uint32_t> run_as_user;
  std::optional<std::uint32_t> run_as_group;
  std::vector<std::string> capabilities_add;
  std::vector<std::string> capabilities_drop;
  bool privileged = false;
  bool read_only_root = false;
  bool operator==(const SecurityContext&) const = default;
};

struct VolumeMount {
  std::string name;
  std::string mount_path;
  std::string sub_path;
  bool read_only = false;
  bool operator==(const VolumeMount&) const = default;
};

struct Container {
  std::string name;
  std::string image;
  std::vector<std::string> command;
  std::vector<std::string> args;
  std::string working_dir;
  std::vector<EnvironmentVariable> env;
  std::vector<ContainerPort> ports;
  std::optional<Probe> readiness_probe;
  std::optional<Probe> liveness_probe;
  std::optional<Probe> startup_probe;
  std::optional<Action> post_start;
  std::optional<Action> pre_stop;
  Labels resource_requests;  // "cpu" → "100m"
  Labels resource_limits;
  SecurityContext security;
  std::vector<VolumeMount> volume_mounts;
  std::string restart_policy;  // init containers: "Always" makes a native sidecar
  bool operator==(const Container&) const = default;

  bool is_native_sidecar() const { return restart_policy == "Always"; }
};

// key → path of a file below the mount; empty list: every key under its own name.
struct KeyToPath {
  std::string key;
  std::string path;
  bool operator==(const KeyToPath&) const = default;
};

struct VolumeSource {
  enum class Kind : std::uint8_t {
    empty_dir,
    config_map,
    secret,
    host_path,
    service_account_token,
    downward,
    other
  };
  Kind kind = Kind::other;
  std::string name;                       // config_map, secret: of the object
  std::string path;                       // host_path; service_account_token: file below the mount
  std::vector<KeyToPath> items;           // config_map, secret; downward: key is the field path
  bool optional = false;                  // config_map, secret
  std::string audience;                   // service_account_token
  std::chrono::seconds expiration{3600};  // service_account_token
  std::string medium;                     // empty_dir: "Memory" or empty
  bool operator==(const VolumeSource&) const = default;
};

struct Volume {
  std::string name;
  // One source, or the several of a projected volume.
  std::vector<VolumeSource> sources;
  bool operator==(const Volume&) const = default;
};

struct PodSpec {
  std::vector<Container> init_containers;
  std::vector<Container> containers;
  std::vector<Volume> volumes;
  std::string service_account_name = "default";
  bool automount_service_account_token = true;
  std::chrono::seconds termination_grace_period{30};
  std::string restart_policy = "Always";
  bool host_network = false;
  SecurityContext security;
  bool operator==(const PodSpec&) const = default;
};

struct PodTemplate {
  Labels labels;
  Labels annotations;
  PodSpec spec;
  bool operator==(const PodTemplate&) const = default;
};

struct Pod {
  Meta meta;
  PodSpec spec;
  std::vector<IpAddress> ips;  // status.podIPs (or podIP); empty until it has one
  std::string phase;           // "Running", …
  bool ready = false;          // the Ready condition
  // The Deployment (StatefulSet, Job …) it belongs to; its own name where it stands alone.
  std::string workload_name;
  std::string json;
  bool operator==(const Pod&) const = default;

  bool terminating() const { return !meta.deletion_timestamp.empty(); }
};

struct Namespace {
  Meta meta;
  std::string json;
  bool operator==(const Namespace&) const = default;
};

struct Deployment {
  Meta meta;
  std::uint32_t replicas = 1;
  Labels selector;  // matchLabels
  PodTemplate pod_template;
  std::string json;
  bool operator==(const Deployment&) const = default;
};

struct ServicePort {
  std::string name;
  std::uint16_t port = 0;
  PortRef target;  // the same number as `port` when the manifest gives none
  std::string transport = "TCP";
  std::string app_protocol;
  bool operator==(const ServicePort&) const = default;
};

struct Service {
  Meta meta;
  std::string type = "ClusterIP";
  std::vector<IpAddress> cluster_ips;  // none: headless, ExternalName, or not given yet
  bool headless = false;               // clusterIP: None
  std::string external_name;
  Labels selector;  // empty: endpoints come from EndpointSlices
  std::vector<ServicePort> ports;
  bool publish_not_ready = false;
  std::string json;
  bool operator==(const Service&) const = default;
};

struct ServiceAccount {
  Meta meta;
  std::string json;
  bool operator==(const ServiceAccount&) const = default;
};

struct ConfigMap {
  Meta meta;
  Labels data;
  std::string json;
  bool operator==(const ConfigMap&) const = default;
};

struct SliceEndpoint {
  std::vector<IpAddress> addresses;
  bool ready = true;
  bool terminating = false;
  std::string pod;  // targetRef of kind Pod: its name
  bool operator==(const SliceEndpoint&) const = default;
};

struct EndpointSlice {
  Meta meta;
  std::string service;  // label kubernetes.io/service-name
  std::vector<ContainerPort> ports;
  std::vector<SliceEndpoint> endpoints;
  std::string json;
  bool operator==(const EndpointSlice&) const = default;
};

using Object = std::variant<Namespace, Pod, Deployment, Service, ServiceAccount, ConfigMap, EndpointSlice>;

const Meta& meta_of(const Object& object);
std::string_view kind_of(const Object& object);  // "Pod"
// "Pod default/hello-1", "Namespace default".
std::string describe(const Object& object);

// Whether every label that `selector` asks for is there; an empty selector matches nothing (as for a
// Service).
bool selects(const Labels& selector, const Labels& labels);

// A pod is meshed when it carries the injected sidecar: a container or init container "weft-sidecar", or the
// annotation weft.mesh/status.
bool has_sidecar(const Pod& pod);

// The number a Service's target port means on this pod (a name is looked up among its container ports, native
// sidecars' included); nothing when the pod has no TCP port of that name.
std::optional<std::uint16_t> resolve_port(const PortRef& target, const PodSpec& spec);

// What a port speaks, by appProtocol, else by the prefix of its name up to "-" ("http-web", "grpc"), as
// Kubernetes and Istio define them; `detect` when neither says anything known.
policy::Protocol protocol_of(std::string_view app_protocol, std::string_view port_name);

// One API object, from its JSON text. not_found: a kind that is not in `Object` (the caller skips it). Errors
// name object and field: "Service default/world: spec.ports[0].port: expected a number 1 to 65535, found
// 'x'".
Result<Object> parse_object(std::string_view json, std::string_view default_namespace = "default");
// The same for one kind, where the context says which (an AdmissionReview's pod may have no kind, name or
// namespace yet).
Result<Pod> parse_pod(std::string_view json, std::string_view default_namespace);
// A workload's template, as {"metadata": …, "spec": …}.
Result<PodTemplate> parse_pod_template(std::string_view json);

}  // namespace weft::kube
