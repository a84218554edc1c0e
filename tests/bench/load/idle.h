// Opens connections, proves that each is there to its far end, holds them, and proves it again.
#pragma once

#include <vector>

#include "base/address.h"

namespace weft::bench {

struct IdleOptions {
  Address to;  // the TCP port of an origin, or what leads there
  unsigned connections = 1;
  double per_second = 0;        // at most; 0 is as fast as they come
  std::vector<IpAddress> from;  // source addresses in turn, each good for about 28,000 connections
  double timeout_seconds = 30;  // without any progress
};

// Prints {"open":N, "errors":…}, holds until standard input ends, prints {"alive":M, "errors":…}; the
// process's exit code.
int run_idle(const IdleOptions& options);

}  // namespace weft::bench
