// weft-injector: wires loop, identity and webhook together.
#include <csignal>

#include <CLI/CLI.hpp>

#include "base/log.h"
#include "base/text.h"
#include "injector/settings.h"
#include "injector/webhook.h"
#include "io/resolver.h"
#include "io/signals.h"
#include "io/uv_loop.h"
#include "kube/workload_identity.h"

namespace weft::injector {
namespace {

void add_flags(CLI::App& app, InjectorSettings& settings, std::string& log_level) {
  InjectorConfig& config = settings.config;
  auto add = [&app](const char* flag, auto& into, const char* help) {
    return app.add_option(flag, into, help)->capture_default_str();
  };
  add("--listen", settings.listen, "PORT or ADDRESS:PORT of the webhook (HTTPS)");
  add("--metrics", settings.metrics_listen, "PORT or ADDRESS:PORT of /metrics and /ready");
  add("--image", config.image, "image of the sidecar and its init container");
  add("--image-pull-policy", config.image_pull_policy,
      "Always, IfNotPresent or Never; empty: the cluster's default");
  add("--trust-domain", config.trust_domain, "trust domain of the mesh");
  add("--namespace", config.control_plane_namespace, "weft's own namespace");
  add("--ca-address", config.ca_address,
      "HOST:PORT of weft-ca for the sidecars; empty: weft-ca in weft's own namespace");
  add("--own-ca-address", settings.own_ca_address,
      "HOST:PORT of weft-ca for the injector itself, where it differs");
  add("--discovery-address", config.discovery_address,
      "HOST:PORT of weft-discovery for the sidecars; empty likewise");
  add("--mesh-cidrs", config.mesh_cidrs, "address blocks of the mesh's pods and Services, comma-separated");
  add("--outbound-policy", config.outbound_policy, "what the sidecars do with unknown addresses")
      ->check(CLI::IsMember({"allow-any", "registry-only"}));
  add("--token-audience", config.token_audience, "audience of the sidecars' tokens");
  add("--bundle-config-map", config.bundle_config_map, "ConfigMap with the trust bundle, in every namespace");
  add("--token-file", settings.token_file, "the injector's own service-account token");
  add("--bundle-file", settings.bundle_file, "trust bundle (PEM) to verify the CA with");
  add("--log-level", log_level, "debug, info, warning, error or off");
}

kube::WorkloadIdentityOptions identity_options(const InjectorSettings& settings) {
  const InjectorConfig& config = settings.config;
  kube::WorkloadIdentityOptions options;
  options.id = SpiffeId{config.trust_domain, config.control_plane_namespace, "weft-injector"};
  options.ca_id = SpiffeId{config.trust_domain, config.control_plane_namespace, "weft-ca"};
  options.ca_address = settings.own_ca_address.empty() ? config.ca_address : settings.own_ca_address;
  options.token_file = settings.token_file;
  options.bundle_file = settings.bundle_file;
  return options;
}

void use_certificate(Webhook& webhook, const kube::WorkloadCredentials& credentials) {
  tls::ServerContextOptions options;
  options.alpn = {"http/1.1"};
  options.require_client_certificate = false;  // the API server shows none
  auto context = tls::Context::server(credentials.svid, nullptr, std::move(options));
  if (!context) return log::error("certificate", {{"reason", context.error().message}});
  log::info("certificate", {{"expires", format_time(credentials.svid->not_after)}});
  webhook.use(*std::move(context));
}

template <class Listen>
Status listen_on(std::string_view flag, std::string_view text, Listen listen) {
  const auto addresses = parse_listen(text);
  if (!addresses) return fail(addresses.error().in(flag));
  for (const ListenAddress& each : *addresses) {
    const Status listening = listen(each.address);
    if (!listening && !each.optional) return fail(listening.error());
  }
  return {};
}

Status run(const InjectorSettings& settings) {
  io::UvLoop loop;
  SeededRandom random(system_random_seed());
  WEFT_ASSIGN(const auto resolver, io::make_resolver(loop));
  Webhook webhook(loop, settings.config);
  kube::WorkloadIdentity identity(
      loop, *resolver, random, identity_options(settings),
      [&webhook](const auto& credentials) { use_certificate(webhook, credentials); });
  identity.start();
  webhook.explain_not_ready([&identity] {
    const auto& error = identity.last_error();
    return error ? error->message : std::string("no certificate yet: the CA was asked for one");
  });

  WEFT_TRY(listen_on("--listen", settings.listen,
                     [&webhook](const Address& address) { return webhook.listen(address); }));
  WEFT_TRY(listen_on("--metrics", settings.metrics_listen,
                     [&webhook](const Address& address) { return webhook.listen_metrics(address); }));
  std::vector<std::unique_ptr<io::SignalWatch>> watches;
  for (const int number : {SIGTERM, SIGINT}) {
    WEFT_ASSIGN(auto watch, io::watch_signal(loop, number, [&loop] { loop.stop(); }));
    watches.push_back(std::move(watch));
  }
  loop.run();
  return {};
}

}  // namespace
}  // namespace weft::injector

int main(int argc, char** argv) {
  using namespace weft;
  CLI::App app("weft-injector: the admission webhook that gives pods their sidecar");
  injector::InjectorSettings settings;
  std::string level_text = "info";
  injector::add_flags(app, settings, level_text);
  CLI11_PARSE(app, argc, argv);
  injector::fill_addresses(settings.config);

  const auto level = log::parse_level(level_text);
  log::init("weft-injector", level.value_or(log::Level::info));
  if (!level) {
    log::error("--log-level: expected debug, info, warning, error or off", {{"found", level_text}});
    return 2;
  }
  const auto ran = injector::run(settings);
  if (!ran) log::error(ran.error().message);
  return ran ? 0 : 1;
}
