// Reading and changing API objects as JSON, where the excerpts of lib/kube are not enough. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "cli/local/command_line.h"
#include "kube/objects.h"

namespace weft::local {

struct PodStatus {
  std::string deletion_timestamp;
  std::string phase;
  bool ready = false;
  std::vector<IpAddress> addresses;  // none yet: empty
};

std::string pod_status_json(std::string_view pod_json, const PodStatus& status);

// An object with its annotations changed.
Result<std::string> annotated_json(std::string_view object_json,
                                   const std::vector<AnnotationChange>& changes);
// A Deployment with another number of replicas.
Result<std::string> scaled_json(std::string_view deployment_json, std::uint32_t replicas);
// A Service with its ClusterIPs written in, and an object with a uid.
std::string with_cluster_ips(std::string_view service_json, const std::vector<IpAddress>& addresses);
std::string with_uid(std::string_view object_json, std::string_view uid);

// What a Service asks for: its own addresses, and how many families.
struct ServiceWish {
  std::vector<IpAddress> cluster_ips;
  bool v4 = true;
  bool v6 = false;
  bool v6_first = false;  // of both
};
Result<ServiceWish> service_wish(std::string_view service_json);

// A Deployment's pod, as its controllers would send it to the API server.
struct PodName {
  std::string name_space;
  std::string name;
  std::string uid;
  std::string deployment;
  std::string template_hash;
};
Result<std::string> pod_from_template(std::string_view deployment_json, const PodName& name);
// A short name for a Deployment's template: equal means nothing to roll out.
std::string template_hash(std::string_view deployment_json);

// A ConfigMap with one key.
std::string config_map_json(std::string_view name_space, std::string_view name, std::string_view key,
                            std::string_view value);

}  // namespace weft::local
