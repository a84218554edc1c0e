// weft-bench-floor: the smallest possible mTLS relay. One thread, no parsing, no policy, no time-outs.
#include <cinttypes>
#include <cstdio>
#include <memory>

#include "tests/bench/floor/relay.h"
#include "tests/bench/net/listener.h"

namespace {

using namespace weft;
using namespace weft::bench;

Status run(Floor& floor) {
  raise_descriptor_limit();
  const FloorOptions& options = floor.options;
  if (options.role != Role::plain) {
    WEFT_ASSIGN(floor.tls, TlsContext::make({options.certificate_file, options.key_file, options.ca_file},
                                            options.role == Role::server, options.resume));
  }
  const StopSignal stop(floor.poller);
  Listener listener(floor.poller, [&floor](Descriptor accepted) {
    floor.relays.add(std::make_unique<Relay>(floor)).start(std::move(accepted));
  });
  WEFT_TRY(listener.listen(options.listen));
  std::puts("ready");
  std::fflush(stdout);
  while (!stop.received()) {
    floor.poller.turn();
    if (floor.relays.sweep() > 0) listener.descriptor_freed();
  }
  const FloorCounts& counts = floor.counts;
  std::printf("{\"connections\":%" PRIu64 ",\"handshakes\":%" PRIu64 ",\"resumed\":%" PRIu64
              ",\"reset\":%" PRIu64 ",\"failed\":%" PRIu64 "}\n",
              counts.connections, counts.handshakes, counts.resumed, counts.reset, counts.failed);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  auto options = parse_floor_options(argc, argv);
  if (!options) {
    std::fprintf(stderr, "weft-bench-floor: %s\n%s", options.error().message.c_str(), floor_usage);
    return 2;
  }
  const auto floor = std::make_unique<Floor>();
  floor->options = *std::move(options);
  if (const Status status = run(*floor); !status) {
    std::fprintf(stderr, "weft-bench-floor: %s\n", status.error().message.c_str());
    return 1;
  }
  return 0;
}
