// The application behind the proxies.
#pragma once

#include "base/address.h"

namespace weft::bench {

struct OriginOptions {
  Address http;
  Address tcp;
};

// Until SIGTERM; the process's exit code.
int run_origin(const OriginOptions& options);

}  // namespace weft::bench
