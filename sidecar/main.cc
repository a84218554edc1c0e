// weft-sidecar: the per-pod proxy. `init` programs iptables and exits; `run` is the proxy; the other verbs
// talk to a running one over its Unix socket. This file only reads the command line and wires.
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>

#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "sidecar/control_socket.h"
#include "sidecar/init.h"
#include "sidecar/settings.h"
#include "sidecar/sidecar.h"

namespace weft::sidecar {
namespace {

std::optional<std::string> environment(std::string_view name) {
  const char* const value = std::getenv(std::string(name).c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

// The private key must not reach a core file or a debugger of the same user.
void protect_memory() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

// What a moment needed, as a page of metrics of 3 MB or the queues of many stalled streams, goes back to the
// system. By itself glibc raises these two with the largest block that is ever freed: it may keep twice as
// much at the top of a heap for good, and leaves gaps between large blocks.
void give_memory_back() {
  mallopt(M_MMAP_THRESHOLD, limits::write_high_bytes);
  mallopt(M_TRIM_THRESHOLD, 4 * limits::write_high_bytes);
}

int run() {
  protect_memory();
  give_memory_back();
  auto settings = parse_settings(environment);
  if (!settings) {
    log::error(settings.error().message);
    return 2;
  }
  log::init("weft-sidecar", settings->log_level);
  Sidecar sidecar(*std::move(settings), system_random_seed());
  const Status started = sidecar.start();
  if (!started) {
    log::error("weft-sidecar cannot start", {{"error", started.error().message}});
    return 1;
  }
  return sidecar.run();
}

int initialise(const InitFlags& flags) {
  log::init("weft-sidecar-init", log::Level::info);
  auto options = parse_init_flags(flags);
  if (!options) {
    log::error(options.error().message);
    return 2;
  }
  if (const auto path = environment("PATH")) options->search_path = *path;
  return run_init(*options);
}

int command(const std::string& state_folder, std::string_view verb, std::string_view argument) {
  const auto answer =
      send_control_command(control_socket_path(state_folder), verb, argument, std::chrono::seconds(10));
  std::fputs(
      answer ? answer->c_str() : str_cat("weft-sidecar ", verb, ": ", answer.error().message, "\n").c_str(),
      answer ? stdout : stderr);
  return answer ? 0 : 1;
}

}  // namespace
}  // namespace weft::sidecar

int main(int argc, char** argv) try {
  using namespace weft::sidecar;
  CLI::App app("weft-sidecar: the per-pod proxy of the weft mesh");
  app.set_version_flag("--version", WEFT_VERSION);
  app.require_subcommand(1);
  std::string state_folder = Settings().state_folder;
  if (const auto folder = environment("WEFT_STATE_FOLDER")) state_folder = *folder;

  InitFlags flags;
  CLI::App* const init =
      app.add_subcommand("init", "program the pod's iptables, then exit (needs NET_ADMIN, NET_RAW)");
  init->add_option("--exclude-inbound-ports", flags.exclude_inbound_ports,
                   "ports that stay as they are: 9090,9100-9110");
  init->add_option("--exclude-outbound-ports", flags.exclude_outbound_ports,
                   "destination ports that stay as they are");
  init->add_option("--exclude-outbound-cidrs", flags.exclude_outbound_cidrs,
                   "destinations that stay as they are");
  init->add_option("--exclude-uids", flags.exclude_uids, "users whose traffic stays as it is");
  init->add_flag("--check", flags.check, "change nothing, prove that redirection works");
  CLI::App* const run_command = app.add_subcommand("run", "carry the pod's traffic until SIGTERM");
  CLI::App* const drain =
      app.add_subcommand("drain", "tell inbound callers to go elsewhere; outbound goes on");
  CLI::App* const renew = app.add_subcommand("renew", "ask the CA for a new certificate now");
  CLI::App* const log_level = app.add_subcommand("log-level", "change the log level of the running sidecar");
  std::string level;
  log_level->add_option("LEVEL", level, "debug, info, warning, error or off")->required();
  CLI11_PARSE(app, argc, argv);

  if (*init) return initialise(flags);
  if (*run_command) return run();
  if (*drain) return command(state_folder, "drain", "");
  if (*renew) return command(state_folder, "renew", "");
  if (*log_level) return command(state_folder, "log-level", level);
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "weft-sidecar: %s\n", error.what());
  return 1;
}
