// weft-ca: wires key, token keys and server together. Exit codes: 0 after SIGTERM or SIGINT, 1 when something
// failed while running, 2 for wrong flags, 3 for a signing key that cannot be made or used, 4 for an address
// that cannot be listened on, 5 for a bundle that cannot be written.
#include <csignal>

#include <CLI/CLI.hpp>

#include "ca/files.h"
#include "ca/server.h"
#include "ca/settings.h"
#include "io/file_watch.h"
#include "io/signals.h"
#include "io/uv_loop.h"

namespace weft::ca {
namespace {

enum Exit { exit_ok = 0, exit_failed = 1, exit_flags = 2, exit_key = 3, exit_listen = 4, exit_bundle = 5 };

void add_flags(CLI::App& app, Flags& flags) {
  const auto add = [&app](const char* flag, auto& into, const char* help) {
    app.add_option(flag, into, help)->capture_default_str();
  };
  add("--listen", flags.listen, "PORT or ADDRESS:PORT of the certificate service (gRPC over TLS)");
  add("--metrics", flags.metrics, "PORT or ADDRESS:PORT of /metrics and /ready");
  add("--trust-domain", flags.trust_domain, "trust domain of the mesh");
  add("--key-file", flags.key_file, "file with key and root (mode 0600); made when there is none");
  add("--ca-folder", flags.ca_folder, "folder with ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem");
  add("--jwks", flags.jwks, "keys of the service-account token issuer; read again when the file changes");
  add("--audience", flags.audiences, "audience that tokens must have; may be repeated");
  add("--issuer", flags.issuer, "issuer that tokens must have; empty: any that the keys belong to");
  add("--leaf-lifetime", flags.leaf_lifetime, "life of a certificate, 10m to 7d");
  add("--bundle-out", flags.bundle_out, "where to write the root certificates");
  add("--account", flags.account, "the CA's own NAMESPACE/ACCOUNT");
  add("--dns-name", flags.dns_names, "DNS name in the CA's own certificate; may be repeated");
  add("--control-plane", flags.control_plane,
      "NAMESPACE/ACCOUNT=DNS-NAME,… an account that gets DNS names; may be repeated");
  add("--log-level", flags.log_level, "debug, info, warning, error or off");
}

int give_up(Exit code, const Error& error) {
  log::error(error.message);
  return code;
}

template <class Listen>
Status listen_on(const std::vector<Endpoint>& endpoints, Listen listen) {
  for (const Endpoint& endpoint : endpoints) {
    const Status listening = listen(endpoint.address);
    if (!listening && !endpoint.optional) return listening;
  }
  return {};
}

Status listen_on_all(Server& server, const Settings& settings) {
  io::ListenOptions options;
  options.only_v6 = true;
  WEFT_TRY(
      listen_on(settings.listen, [&](const Address& address) { return server.listen(address, options); }));
  return listen_on(settings.metrics, [&](const Address& address) { return server.listen_metrics(address); });
}

int run(const Flags& flags, const Settings& settings) {
  io::UvLoop loop;
  auto authority =
      flags.key_file.empty()
          ? Authority::from_folder(flags.ca_folder, settings.policy.trust_domain, loop.wall_now())
          : Authority::from_key_file(flags.key_file, settings.policy.trust_domain, loop.wall_now());
  if (!authority) return give_up(exit_key, authority.error());
  if (!flags.bundle_out.empty()) {
    const auto written = replace_file(flags.bundle_out, (*authority)->roots_pem());
    if (!written) return give_up(exit_bundle, written.error().in("--bundle-out"));
  }

  TokenVerifier tokens(flags.jwks, tls::TokenChecks{flags.audiences, flags.issuer});
  Server server(loop, **authority, tokens, settings.policy, settings.serving);
  auto watch = io::watch_files(loop, {flags.jwks}, [&server] { server.reload_token_keys(); });
  if (!watch) return give_up(exit_failed, watch.error().in("--jwks"));
  if (const auto started = server.start(); !started) return give_up(exit_key, started.error());
  if (const auto listening = listen_on_all(server, settings); !listening) {
    return give_up(exit_listen, listening.error());
  }

  bool draining = false;
  const auto stop = [&] {
    if (std::exchange(draining, true)) return loop.stop();  // asked twice: at once
    log::info("draining");
    server.drain([&loop] { loop.stop(); });
  };
  std::vector<std::unique_ptr<io::SignalWatch>> signals;
  for (const int number : {SIGTERM, SIGINT}) {
    auto signal = io::watch_signal(loop, number, stop);
    if (!signal) return give_up(exit_failed, signal.error());
    signals.push_back(*std::move(signal));
  }
  log::info("ready", {{"listen", server.address().to_string()},
                      {"metrics", server.metrics_address().to_string()},
                      {"trust_domain", settings.policy.trust_domain},
                      {"signing_certificate", (*authority)->signing_certificate().sha256_hex()},
                      {"expires", format_time((*authority)->not_after())}});
  loop.run();
  return exit_ok;
}

}  // namespace
}  // namespace weft::ca

int main(int argc, char** argv) {
  using namespace weft;
  CLI::App app("weft-ca: the certificate authority of the mesh");
  ca::Flags flags;
  ca::add_flags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? ca::exit_ok : ca::exit_flags;
  }
  log::init("weft-ca", log::Level::info);
  const auto settings = ca::read_flags(flags);
  if (!settings) return ca::give_up(ca::exit_flags, settings.error());
  log::set_level(settings->log_level);
  return ca::run(flags, *settings);
}
