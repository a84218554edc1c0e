// Where a worker's connections report what became of them: to the metrics and to the access log. One per
// worker, on its thread.
#pragma once

#include <string_view>

#include "io/loop.h"
#include "sidecar/records.h"

namespace weft::sidecar {

class Telemetry {
 public:
  virtual ~Telemetry() = default;
  // The worker's loop begins and ends; between the two the rest is called.
  virtual void start(io::Loop& loop) = 0;
  virtual void stop() = 0;

  virtual void request_done(const RequestRecord& record) = 0;
  virtual void connection_opened(Direction direction) = 0;
  // A TCP connection was joined to its upstream; connection_done follows.
  virtual void connection_joined(const PeersRecord& peers) = 0;
  // `joined`: connection_joined was called for it.
  virtual void connection_done(const ConnectionRecord& record, bool joined) = 0;
  // A connection that was refused before it became anything: by reason.
  virtual void connection_refused(Direction direction, std::string_view reason) = 0;
  // One that served, and that weft ended by itself: certificate-expired, age-limit, policy-changed, …
  virtual void connection_ended(Direction direction, std::string_view reason) = 0;
  virtual void endpoint_ejected(std::string_view endpoint) = 0;
  // A copy for weft.mesh/mirror: answered, failed, timeout, or never sent: too-large, no-room, no-endpoint.
  virtual void request_mirrored(std::string_view outcome) = 0;
};

}  // namespace weft::sidecar
