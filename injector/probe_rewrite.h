// Probes come from the kubelet, which has no certificate: a strict port would refuse them. So HTTP, TCP and
// gRPC probes are sent to the sidecar's health port, which carries out the original one inside the pod. Pure;
// internal to injector/ (shows nlohmann's type).
#pragma once

#include <string>
#include <vector>

#include "injector/json_access.h"

namespace weft::injector {

struct ProbeRewrites {
  // JSON patch operations on the pod as it came.
  std::vector<Json> operations;
  // What the sidecar is told (WEFT_PROBES): "<container>/<livez|readyz|startupz>" →
  //   {"type": "http", "port": 8080, "path": "/ready", "scheme": "HTTP", "headers": [{"name": …, "value":
  //   …}],
  //    "timeoutSeconds": 1}
  //   {"type": "tcp", "port": …, "timeoutSeconds": …}
  //   {"type": "grpc", "port": …, "service": "", "timeoutSeconds": …}
  Json originals = Json::object();
  std::vector<std::string> warnings;
};

// Of every container, those of native sidecars (init containers) included. exec probes stay as they are, as
// do HTTP and TCP probes that name another host, and those of the health port. Errors name the JSON path.
Result<ProbeRewrites> rewrite_probes(const Json& pod);

}  // namespace weft::injector
