#include "tests/bench/floor/options.h"

#include <getopt.h>

#include <array>
#include <string_view>

#include "base/text.h"

namespace weft::bench {
namespace {

enum Name : int { role = 256, listen, to, to_original, to_port, certificate, key, ca, resume };

constexpr std::array<option, 10> names = {{
    {"role", required_argument, nullptr, role},
    {"listen", required_argument, nullptr, listen},
    {"to", required_argument, nullptr, to},
    {"to-original", no_argument, nullptr, to_original},
    {"to-port", required_argument, nullptr, to_port},
    {"cert", required_argument, nullptr, certificate},
    {"key", required_argument, nullptr, key},
    {"ca", required_argument, nullptr, ca},
    {"resume", no_argument, nullptr, resume},
    {nullptr, 0, nullptr, 0},
}};

Status set_role(FloorOptions& options, std::string_view name) {
  if (name == "client") {
    options.role = Role::client;
  } else if (name == "server") {
    options.role = Role::server;
  } else if (name == "plain") {
    options.role = Role::plain;
  } else {
    return fail(Code::invalid, str_cat("--role ", name, ": expected client, server or plain"));
  }
  return {};
}

Status set_address(Address& address, std::string_view name, std::string_view text) {
  auto parsed = Address::parse(text);
  if (!parsed) return fail(parsed.error().in(name));
  address = *parsed;
  return {};
}

Status set_port(FloorOptions& options, std::string_view text) {
  options.to_port = parse_number<std::uint16_t>(text);
  if (!options.to_port) return fail(Code::invalid, str_cat("--to-port ", text, ": expected 1 to 65535"));
  return {};
}

}  // namespace

const char* const floor_usage =
    "weft-bench-floor --role client|server|plain --listen ADDRESS:PORT\n"
    "                 (--to ADDRESS:PORT | --to-original [--to-port PORT])\n"
    "                 [--cert FILE --key FILE --ca FILE] [--resume]\n"
    "The cheapest mTLS relay: no parsing, no policy. Prints \"ready\" when it listens; ends at SIGTERM with\n"
    "its counts as JSON.\n";

Result<FloorOptions> parse_floor_options(int argc, char** argv) {
  FloorOptions options;
  bool have_role = false, have_listen = false, original = false;
  for (int name = 0; (name = getopt_long(argc, argv, "", names.data(), nullptr)) != -1;) {
    Status status;
    switch (name) {
      case role:
        status = set_role(options, optarg), have_role = true;
        break;
      case listen:
        status = set_address(options.listen, "--listen", optarg), have_listen = true;
        break;
      case to:
        status = set_address(options.to.emplace(), "--to", optarg);
        break;
      case to_original:
        original = true;
        break;
      case to_port:
        status = set_port(options, optarg);
        break;
      case certificate:
        options.certificate_file = optarg;
        break;
      case key:
        options.key_file = optarg;
        break;
      case ca:
        options.ca_file = optarg;
        break;
      case resume:
        options.resume = true;
        break;
      default:
        return fail(Code::invalid, "see the usage");  // getopt has said which
    }
    if (!status) return fail(status.error());
  }
  if (optind < argc) return fail(Code::invalid, str_cat("unexpected argument ", argv[optind]));
  if (!have_role || !have_listen) return fail(Code::invalid, "--role and --listen are needed");
  if (original == options.to.has_value())
    return fail(Code::invalid, "either --to or --to-original is needed");
  if (options.to_port && !original) return fail(Code::invalid, "--to-port goes with --to-original");
  const bool has_files =
      !options.certificate_file.empty() && !options.key_file.empty() && !options.ca_file.empty();
  if (options.role != Role::plain && !has_files) {
    return fail(Code::invalid, "--cert, --key and --ca are needed for mTLS");
  }
  return options;
}

}  // namespace weft::bench
