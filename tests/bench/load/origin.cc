#include "tests/bench/load/origin.h"

#include <cinttypes>
#include <cstdio>

#include "tests/bench/load/http_service.h"
#include "tests/bench/load/tcp_service.h"
#include "tests/bench/net/poller.h"
#include "tests/bench/net/sockets.h"

namespace weft::bench {

int run_origin(const OriginOptions& options) {
  raise_descriptor_limit();
  Poller poller;
  const StopSignal stop(poller);
  const Pattern pattern(1);
  HttpService http(poller, pattern);
  TcpService tcp(poller, pattern);
  for (const Status& listening : {http.listen(options.http), tcp.listen(options.tcp)}) {
    if (listening) continue;
    std::fprintf(stderr, "origin: %s\n", listening.error().message.c_str());
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  while (!stop.received()) {
    poller.turn();
    http.sweep();
    tcp.sweep();
  }
  std::printf("{\"http_requests\":%" PRIu64 ",\"bad_requests\":%" PRIu64 ",\"tcp_connections\":%" PRIu64
              "}\n",
              http.requests(), http.bad_requests(), tcp.connections());
  return 0;
}

}  // namespace weft::bench
