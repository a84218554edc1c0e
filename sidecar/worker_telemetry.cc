#include "sidecar/worker_telemetry.h"

#include "base/log.h"

namespace weft::sidecar {

void WorkerTelemetry::start(io::Loop& loop) {
  loop_ = &loop;
  log_.start(loop);
}

void WorkerTelemetry::stop() { log_.stop(); }

void WorkerTelemetry::request_done(const RequestRecord& record) {
  metrics_.request_done(record);
  if (is_logged(mode_.load(std::memory_order_relaxed), record)) log_.add(access_log_line(record));
  count_dropped_lines();
}

void WorkerTelemetry::connection_opened(Direction direction) {
  metrics_.connection_opened(direction, loop_->wall_now());
}

void WorkerTelemetry::connection_joined(const PeersRecord& peers) {
  metrics_.tcp_opened(peers, loop_->wall_now());
}

void WorkerTelemetry::connection_done(const ConnectionRecord& record, bool joined) {
  if (joined) metrics_.tcp_closed(record);
  if (is_logged(mode_.load(std::memory_order_relaxed), record)) log_.add(access_log_line(record));
  count_dropped_lines();
}

void WorkerTelemetry::connection_refused(Direction direction, std::string_view reason) {
  metrics_.connection_refused(direction, reason, loop_->wall_now());
}

void WorkerTelemetry::connection_ended(Direction direction, std::string_view reason) {
  metrics_.connection_ended(direction, reason, loop_->wall_now());
}

void WorkerTelemetry::endpoint_ejected(std::string_view endpoint) {
  metrics_.endpoint_ejected(loop_->wall_now());
  log::info("an endpoint keeps failing and is left out for a while", {{"endpoint", std::string(endpoint)}});
}

void WorkerTelemetry::request_mirrored(std::string_view outcome) {
  metrics_.request_mirrored(outcome, loop_->wall_now());
}

void WorkerTelemetry::count_dropped_lines() {
  if (const std::uint64_t dropped = log_.take_dropped(); dropped > 0) {
    metrics_.log_lines_dropped(dropped, loop_->wall_now());
  }
}

}  // namespace weft::sidecar
