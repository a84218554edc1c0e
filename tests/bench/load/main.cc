// weft-bench-load: wires the command line to what puts load on proxies and what answers behind them.
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tests/bench/load/bulk.h"
#include "tests/bench/load/connect.h"
#include "tests/bench/load/idle.h"
#include "tests/bench/load/origin.h"

namespace {

using namespace weft;
using namespace weft::bench;

// The subcommand that was chosen; set while the command line is parsed.
using Chosen = std::function<int()>;

template <class T>
CLI::Option* add_parsed(CLI::App& verb, const std::string& name, T& value, const std::string& description) {
  const auto parse = [&value](const std::string& text) {
    const auto parsed = T::parse(text);
    if (!parsed) throw CLI::ValidationError(parsed.error().message);
    value = *parsed;
  };
  return verb.add_option_function<std::string>(name, parse, description);
}

CLI::Option* add_to(CLI::App& verb, Address& to) {
  return add_parsed(verb, "--to", to, "ADDRESS:PORT of an origin's TCP port, or of what leads there")
      ->required();
}

void add_origin(CLI::App& app, OriginOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("origin", "The application behind the proxies, until SIGTERM");
  add_parsed(*verb, "--http", options.http, "ADDRESS:PORT for HTTP/1.1")->required();
  add_parsed(*verb, "--tcp", options.tcp, "ADDRESS:PORT for echo, sink and source")->required();
  verb->callback([&options, &chosen] { chosen = [&options] { return run_origin(options); }; });
}

void add_bulk(CLI::App& app, BulkOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("bulk", "As many bytes as possible over some connections");
  add_to(*verb, options.to);
  verb->add_option("--streams", options.streams, "connections at a time")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  verb->add_option("--seconds", options.seconds, "for how long")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option_function<std::string>(
          "--direction", [&options](const std::string& direction) { options.down = direction == "down"; },
          "up: to the origin, down: from it")
      ->check(CLI::IsMember({"up", "down"}))
      ->default_str("up");
  verb->add_flag("--check", options.check, "compare the content too, end to end");
  verb->add_option("--seed", options.seed, "of the content sent up with --check")->capture_default_str();
  verb->add_option("--timeout", options.timeout_seconds, "seconds without progress")->capture_default_str();
  verb->callback([&options, &chosen] { chosen = [&options] { return run_bulk(options); }; });
}

void add_connect(CLI::App& app, ConnectOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("connect", "New connections, each for one byte there and back");
  add_to(*verb, options.to);
  verb->add_option("--concurrency", options.concurrency, "connections at a time")
      ->check(CLI::Range(1, 20000))
      ->capture_default_str();
  verb->add_option("--seconds", options.seconds, "for how long")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option("--timeout", options.timeout_seconds, "seconds for one connection")->capture_default_str();
  verb->callback([&options, &chosen] { chosen = [&options] { return run_connect(options); }; });
}

void add_idle(CLI::App& app, IdleOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("idle", "Opens connections and holds them until standard input ends");
  add_to(*verb, options.to);
  verb->add_option("--connections", options.connections, "how many")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  verb->add_option("--per-second", options.per_second, "how fast to open them; 0 is as fast as they come")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  const auto parse_from = [&options](const std::vector<std::string>& addresses) {
    for (const auto& text : addresses) {
      const auto address = IpAddress::parse(text);
      if (!address) throw CLI::ValidationError("--from", address.error().message);
      options.from.push_back(*address);
    }
  };
  verb->add_option_function<std::vector<std::string>>("--from", parse_from, "source addresses, A,B,…")
      ->delimiter(',');
  verb->add_option("--timeout", options.timeout_seconds, "seconds without progress")->capture_default_str();
  verb->callback([&options, &chosen] { chosen = [&options] { return run_idle(options); }; });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What puts load on the proxies of the bench, and what answers behind them.");
  app.require_subcommand(1);
  Chosen chosen;
  OriginOptions origin;
  BulkOptions bulk;
  ConnectOptions connect;
  IdleOptions idle;
  add_origin(app, origin, chosen);
  add_bulk(app, bulk, chosen);
  add_connect(app, connect, chosen);
  add_idle(app, idle, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return chosen();
}
