// What the CA counts, as Prometheus text. Lives on one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "ca/validator.h"

namespace weft::ca {

struct Metrics {
  std::uint64_t issued = 0;
  std::array<std::uint64_t, reasons> refused{};  // by Reason
  std::uint64_t handshakes_failed = 0;
  std::uint64_t jwks_reloads_failed = 0;
  std::size_t token_keys = 0;
  std::size_t connections = 0;
  WallTime signing_not_after{};
  WallTime serving_not_after{};

  std::string render() const;
};

}  // namespace weft::ca
