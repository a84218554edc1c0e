// Opens connections one after the other, many at a time, each for one byte there and back.
#pragma once

#include <optional>

#include "base/address.h"

namespace weft::bench {

struct ConnectOptions {
  Address to;  // the TCP port of an origin, or what leads there
  unsigned concurrency = 1;
  double seconds = 5;
  double timeout_seconds = 10;  // for one connection
};

// Prints {"connections":…, "errors":…, "seconds":…, "p50_us":…, "p99_us":…}; the process's exit code.
int run_connect(const ConnectOptions& options);

}  // namespace weft::bench
