// What is remembered of one finished request or connection: the input of metrics and access log. Plain
// values, filled by exchanges and tunnels on their worker's thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace weft::sidecar {

enum class Direction : std::uint8_t { outbound, inbound };

// One try of a request at one endpoint.
struct TryRecord {
  std::string endpoint;  // "198.18.0.7:8080"
  std::string outcome;   // "200", "connect-failure", "per-try-timeout", …
  std::string
      retry_class;  // why it was made again: "proved", "idempotent", "opted-in"; empty for the last try
  Duration duration{0};
  std::string not_retried;  // what kept a failed last try from being made again: "budget-used", …
};

// The two ends, as both requests and connections have them.
struct PeersRecord {
  Direction direction = Direction::outbound;
  std::string source_identity;  // SPIFFE ids; empty: not in the mesh
  std::string destination_identity;
  std::string source_workload;  // Deployments or other controllers of the two pods; empty: not known
  std::string destination_workload;
  std::string source_address;       // "ip:port" of the downstream
  std::string destination_address;  // original destination
  std::string service;              // "namespace/name:port"; empty: none
  std::string subset;
  std::string endpoint;       // the one that answered, "ip:port"
  bool mutual_tls = false;    // on the wire between the two pods
  std::string tls_version;    // "TLSv1.3" with mutual_tls
  bool from_sidecar = false;  // inbound: the caller speaks as sidecars do, not as any member of the mesh may
};

struct RequestRecord {
  PeersRecord peers;
  WallTime started{};
  std::string method;
  std::string path;  // without query
  std::string authority;
  std::string request_id;
  std::string protocol;  // "HTTP/1.1"
  bool grpc = false;
  int status = 0;           // sent downstream; 0: none was
  std::string grpc_status;  // number, where there is one
  std::string reason;       // x-weft-error of weft's own reply, or why it was cut; empty: all went well
  std::string rule;         // RBAC rule that decided, audit rule that matched
  std::string route_rule;   // "routes #2", "canary"; empty: none
  std::vector<TryRecord> tries;
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
  Duration injected_delay{0};  // of weft.mesh/fault, within the duration
  Duration duration{0};
  Duration time_to_head{0};  // until the response head from upstream
};

struct ConnectionRecord {
  PeersRecord peers;
  WallTime started{};
  std::string protocol;  // "tcp", "tls"
  std::string reason;    // as above
  std::string rule;
  std::vector<TryRecord> tries;
  std::uint64_t sent_bytes = 0;      // towards the upstream
  std::uint64_t received_bytes = 0;  // from it
  Duration duration{0};
};

}  // namespace weft::sidecar
