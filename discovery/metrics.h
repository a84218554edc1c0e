// What discovery says of itself, as Prometheus text. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "discovery/server.h"

namespace weft::discovery {

struct MetricsInput {
  const ConfigServer& server;
  std::uint64_t handshakes_failed = 0;
  std::uint64_t source_errors = 0;
  std::size_t broken_files = 0;
  std::uint64_t certificates_issued = 0;
  std::uint64_t certificate_failures = 0;
  std::optional<WallTime> certificate_expiry;
};

std::string metrics_text(const MetricsInput& input);

}  // namespace weft::discovery
