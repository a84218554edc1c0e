// Moves as many bytes as possible for a while, over some connections.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/address.h"

namespace weft::bench {

struct BulkOptions {
  Address to;  // the TCP port of an origin, or what leads there
  unsigned streams = 1;
  double seconds = 5;
  bool down = false;   // from the origin to us
  bool check = false;  // compare the content, too
  std::uint32_t seed = 1;
  double timeout_seconds = 30;  // without any progress of a stream
};

// Prints {"bytes":…, "seconds":…, "errors":…}; the process's exit code.
int run_bulk(const BulkOptions& options);

}  // namespace weft::bench
