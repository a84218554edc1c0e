// What injection does to a pod, as a pure function: the pod as JSON goes in, a JSON patch
// (RFC 6902) comes out. Adds, in front of all other init containers, weft-init (programs iptables, then
// exits) and weft-sidecar (a native sidecar: an init container with restartPolicy Always, so that it runs
// before the application and goes after it), and the volumes that only the sidecar mounts; sends the probes
// of all containers through the sidecar; notes itself in the annotation weft.mesh/status. Twice is once, but
// that the probes of containers that came in between are sent through the sidecar as well.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weft::injector {

struct InjectorConfig {
  std::string version = "0.1.0";  // of weft, for the status annotation
  std::string image = "weft-sidecar:0.1.0";
  std::string image_pull_policy;  // empty: the cluster's default
  std::string trust_domain = "cluster.local";
  std::string control_plane_namespace = "weft-system";
  std::string ca_address;         // empty: the sidecar's default, a Service of that namespace
  std::string discovery_address;  // likewise
  std::string mesh_cidrs;         // the mesh's pod and Service ranges, comma-separated; may be empty
  std::string outbound_policy = "allow-any";
  std::string token_audience = "weft-ca";
  unsigned token_seconds = 3600;  // the kubelet renews it at 80 % of this
  std::string bundle_config_map = "weft-trust-bundle";
  std::string cpu_request = "10m";
  std::string memory_request = "32Mi";
};

struct PodPatch {
  std::string operations;  // a JSON list; empty: nothing to do
  std::string reason;      // why there is nothing to do
  std::vector<std::string> warnings;
};

// Errors say why a pod cannot be injected: invalid (a wrong annotation, a JSON path with a wrong value) or
// refused (hostNetwork, a container that runs as the sidecar's user, a name that belongs to weft).
Result<PodPatch> make_pod_patch(std::string_view pod, const InjectorConfig& config);

}  // namespace weft::injector
