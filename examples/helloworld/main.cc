// http-echo: settings from the environment, SIGTERM ends it half a second later. TEXT, NEXT (host or
// host:port), LATENCY (seconds), PORT.
#include <csignal>
#include <cstdlib>
#include <string>

#include "base/log.h"
#include "base/text.h"
#include "examples/helloworld/http_echo.h"
#include "io/signals.h"

namespace {

std::string environment(const char* name, const char* fallback) {
  const char* const value = std::getenv(name);
  return value ? value : fallback;
}

}  // namespace

int main() {
  using namespace weft;
  helloworld::EchoSettings settings;
  settings.text = environment("TEXT", "hello");
  settings.next = environment("NEXT", "");
  const auto latency = parse_number<unsigned>(environment("LATENCY", "0"));
  const auto port = parse_number<std::uint16_t>(environment("PORT", "8080"));
  if (!latency || !port || *port == 0) {
    log::error("LATENCY takes whole seconds, PORT 1 to 65535");
    return 2;
  }
  settings.latency = std::chrono::seconds(*latency);
  settings.port = *port;
  io::UvLoop loop;
  helloworld::HttpEcho echo(loop, std::move(settings));
  if (const Status started = echo.start(); !started) {
    log::error("http-echo cannot start", {{"error", started.error().message}});
    return 1;
  }
  // Callers learn of the end while this goes on serving: applications that leave at once cut what is on its
  // way.
  constexpr auto farewell = std::chrono::milliseconds(500);
  const auto leaves = loop.make_timer([&loop] { loop.stop(); });
  const auto ended = io::watch_signal(loop, SIGTERM, [&leaves, farewell] { leaves->start(farewell); });
  loop.run();
  return 0;
}
