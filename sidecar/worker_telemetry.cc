#include "sidecar/worker_telemetry.h"

#include "base/log.h"

namespace weft::sidecar {

void WorkerTelemetry::request_done(const RequestRecord& r) {
  log::info("request", {{"status", std::to_string(r.status)}, {"reason", r.reason}, {"src", r.peers.source_identity}, {"dst", r.peers.destination_identity}, {"endpoint", r.peers.endpoint}, {"path", r.path}, {"tries", std::to_string(r.tries.size())}});
}
void WorkerTelemetry::connection_opened(Direction) {}
void WorkerTelemetry::connection_done(const ConnectionRecord& r) { log::info("connection", {{"reason", r.reason}, {"endpoint", r.peers.endpoint}}); }
void WorkerTelemetry::connection_refused(Direction, std::string_view reason) { log::info("refused", {{"reason", std::string(reason)}}); }
void WorkerTelemetry::endpoint_ejected(std::string_view) {}

}  // namespace weft::sidecar
