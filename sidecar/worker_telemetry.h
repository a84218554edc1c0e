// A worker's own metrics and access log: written on its thread without a lock, read by the control thread when
// somebody scrapes.
#pragma once

#include <atomic>
#include <cstdint>

#include "policy/snapshot.h"
#include "sidecar/telemetry.h"

namespace weft::sidecar {

class WorkerTelemetry final : public Telemetry {
 public:
  void set_access_log(policy::AccessLog mode) { mode_.store(mode, std::memory_order_relaxed); }
  void request_done(const RequestRecord& record) override;
  void connection_opened(Direction direction) override;
  void connection_done(const ConnectionRecord& record) override;
  void connection_refused(Direction direction, std::string_view reason) override;
  void endpoint_ejected(std::string_view endpoint) override;

 private:
  std::atomic<policy::AccessLog> mode_{policy::AccessLog::errors};
};

}  // namespace weft::sidecar
