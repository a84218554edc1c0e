#include <memory>
#include <string>

#include "base/check.h"
#include "sidecar/access_log.h"
#include "sidecar/metrics.h"
#include "tests/bench/micro/operation.h"

namespace weft::bench {
namespace {

using namespace std::chrono_literals;

sidecar::RequestRecord record() {
  sidecar::RequestRecord made;
  made.peers.source_identity = "spiffe://cluster.local/ns/default/sa/hello";
  made.peers.destination_identity = "spiffe://cluster.local/ns/default/sa/world";
  made.peers.source_address = "198.18.0.3:41234";
  made.peers.destination_address = "198.18.1.7:80";
  made.peers.service = "default/world:80";
  made.peers.endpoint = "198.18.0.5:8080";
  made.peers.mutual_tls = true;
  made.peers.tls_version = "TLSv1.3";
  made.started = WallTime{1'795'000'000s};
  made.method = "GET";
  made.path = "/api/v1/items/42";
  made.authority = "world.default.svc.cluster.local";
  made.protocol = "HTTP/1.1";
  made.status = 200;
  made.tries = {{"198.18.0.5:8080", "200", "", 1ms}};
  made.response_bytes = 512;
  made.duration = 1200us;
  made.time_to_head = 1100us;
  return made;
}

// A request of a series that there is already.
Function<void()> count_request() {
  struct Counted {
    sidecar::Metrics metrics{1};
    sidecar::WorkerMetrics worker{metrics, 0};
    sidecar::RequestRecord request = record();
  };
  return [counted = std::make_unique<Counted>()] { counted->worker.request_done(counted->request); };
}

Function<void()> write_line() {
  return [request = record()] { WEFT_CHECK(sidecar::access_log_line(request).size() > 200); };
}

}  // namespace

void add_telemetry_operations(Operations& operations) {
  operations.push_back({"telemetry/count-request", count_request});
  operations.push_back({"telemetry/access-log-line", write_line});
}

}  // namespace weft::bench
