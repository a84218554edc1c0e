// A worker's own metrics and access log: written on its thread without a lock; the control thread changes the
// mode of the log and scrapes the metrics.
#pragma once

#include <atomic>
#include <cstddef>

#include "policy/snapshot.h"
#include "sidecar/access_log.h"
#include "sidecar/metrics.h"
#include "sidecar/telemetry.h"

namespace weft::sidecar {

class WorkerTelemetry final : public Telemetry {
 public:
  WorkerTelemetry(Metrics& metrics, std::size_t worker, AccessLogSink& sink)
      : metrics_(metrics, worker), log_(sink) {}

  // Any thread.
  void set_access_log(policy::AccessLog mode) { mode_.store(mode, std::memory_order_relaxed); }

  void start(io::Loop& loop) override;
  void stop() override;
  void request_done(const RequestRecord& record) override;
  void connection_opened(Direction direction) override;
  void connection_joined(const PeersRecord& peers) override;
  void connection_done(const ConnectionRecord& record, bool joined) override;
  void connection_refused(Direction direction, std::string_view reason) override;
  void connection_ended(Direction direction, std::string_view reason) override;
  void endpoint_ejected(std::string_view endpoint) override;
  void request_mirrored(std::string_view outcome) override;

 private:
  void count_dropped_lines();

  WorkerMetrics metrics_;
  AccessLog log_;
  io::Loop* loop_ = nullptr;
  std::atomic<policy::AccessLog> mode_{policy::AccessLog::errors};
};

}  // namespace weft::sidecar
