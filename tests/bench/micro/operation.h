// The operations of the data path that are measured one by one: in nanoseconds by weft-micro (Google
// Benchmark) and in instructions by weft-instructions. Each is written once, here in tests/bench/micro.
#pragma once

#include <string_view>
#include <vector>

#include "base/callback.h"

namespace weft::bench {

struct Operation {
  std::string_view name;  // "http1/parse-request-small"
  // Makes what the operation works on and gives the operation itself, to be called any number of times: every
  // call does the same work. It aborts where the result is not what it should be, for then it measures
  // nothing.
  Function<void()> (*prepare)();
};

using Operations = std::vector<Operation>;

void add_http1_operations(Operations& operations);
void add_http2_operations(Operations& operations);
void add_policy_operations(Operations& operations);
void add_control_operations(Operations& operations);
void add_telemetry_operations(Operations& operations);
void add_tls_operations(Operations& operations);

// All of them, in this order.
inline Operations all_operations() {
  Operations operations;
  add_http1_operations(operations);
  add_http2_operations(operations);
  add_policy_operations(operations);
  add_control_operations(operations);
  add_telemetry_operations(operations);
  add_tls_operations(operations);
  return operations;
}

}  // namespace weft::bench
