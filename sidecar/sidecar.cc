#include "sidecar/sidecar.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "http/dial.h"
#include "sidecar/admin_views.h"
#include "sidecar/exposition.h"
#include "sidecar/inbound.h"
#include "sidecar/worker_telemetry.h"

namespace weft::sidecar {
namespace {

constexpr auto stop_poll = std::chrono::milliseconds(50);
constexpr auto tidy_interval = std::chrono::minutes(1);

SpiffeId control_plane_id(const Settings& settings, const ControlPlaneTarget& target) {
  return SpiffeId{settings.trust_domain, settings.control_plane_namespace, target.service_account};
}

kube::WorkloadIdentityOptions identity_options(const Settings& settings) {
  kube::WorkloadIdentityOptions options;
  options.id = SpiffeId{settings.trust_domain, settings.pod_namespace, settings.service_account};
  options.ca_address = str_cat(settings.ca.host, ":", settings.ca.port);
  options.ca_id = control_plane_id(settings, settings.ca);
  options.token_file = settings.token_file;
  options.bundle_file = settings.bundle_file;
  return options;
}

http::SimpleReply text_reply(int status, std::string text) {
  return http::SimpleReply{status, std::move(text), "text/plain; charset=utf-8", {}};
}

http::SimpleReply json_reply(std::string json) {
  return http::SimpleReply{200, std::move(json), "application/json", {}};
}

}  // namespace

struct Sidecar::WorkerSlot {
  WorkerSlot(Metrics& metrics, std::size_t index, AccessLogSink& sink, const Settings& settings,
             policy::EndpointRegistry& endpoints, std::uint64_t seed,
             Function<void(const Address&)> ask_owner)
      : telemetry(metrics, index, sink), worker(settings, endpoints, telemetry, seed, std::move(ask_owner)) {}
  WorkerTelemetry telemetry;
  Worker worker;
};

Sidecar::Sidecar(Settings settings, std::uint64_t seed)
    : settings_(std::move(settings)),
      random_(seed),
      metrics_of_workers_(settings_.workers),
      access_log_sink_(STDOUT_FILENO),
      store_(settings_.trust_domain, endpoints_,
             [this](const std::shared_ptr<const Config>& config) { config_changed(config); }),
      cache_(loop_, settings_.state_folder + "/config.cache") {
  for (unsigned i = 0; i < settings_.workers; ++i) {
    auto ask_owner = [this](const Address& address) {
      loop_.post(anchor_.guard([this, address] { config_client_->request(address); }));
    };
    workers_.push_back(std::make_unique<WorkerSlot>(metrics_of_workers_, i, access_log_sink_, settings_,
                                                    endpoints_, random_.next(), std::move(ask_owner)));
  }
  config_client_ = std::make_unique<ConfigClient>(
      loop_, random_, settings_, store_,
      [this](http::GrpcChannel::ConnectDone done) { return connect_discovery(std::move(done)); });
  using http::SimpleRequest;
  using Respond = http::SimpleServer::Respond;
  admin_ = std::make_unique<http::SimpleServer>(
      loop_, anchor_.guard([this](const SimpleRequest& request, Respond respond) {
        serve_admin(request, std::move(respond));
      }));
  health_ = std::make_unique<http::SimpleServer>(
      loop_, anchor_.guard([this](const SimpleRequest& request, Respond respond) {
        serve_health(request, std::move(respond));
      }));
  metrics_ = std::make_unique<http::SimpleServer>(
      loop_, anchor_.guard([this](const SimpleRequest& request, Respond respond) {
        serve_metrics(request, std::move(respond));
      }));
  control_socket_ = std::make_unique<ControlSocket>(
      loop_, anchor_.guard([this](std::string_view command, std::string_view argument, Respond respond) {
        respond(control(command, argument));
      }));
  stop_timer_ = loop_.make_timer(anchor_.guard([this] { stop_when_empty(); }));
  tidy_timer_ = loop_.make_timer(anchor_.guard([this] {
    watch_address_use();
    // What is free in the midst of a heap: of 100 streams that nobody read, 50 MiB.
    malloc_trim(0);
    tidy_timer_->start(tidy_interval);
  }));
  tidy_timer_->start(tidy_interval);
}

Sidecar::~Sidecar() { workers_.clear(); }

// ---- start ----

Status Sidecar::start() {
  auto probes = parse_probes(settings_.probes_json);
  if (!probes) return fail(probes.error());
  probes_ = std::make_unique<Probes>(loop_, settings_.pod_ips.front(), *std::move(probes));
  WEFT_ASSIGN(ApplicationMetricsTarget target, parse_application_metrics(settings_.application_metrics));
  application_metrics_ =
      std::make_unique<ApplicationMetrics>(loop_, settings_.pod_ips.front(), std::move(target));
  for (const auto& slot : workers_) WEFT_TRY(slot->worker.start());
  const auto any = [](std::uint16_t port) { return Address{IpAddress(), port}; };
  WEFT_TRY(admin_->listen(Address{*IpAddress::parse("127.0.0.1"), settings_.ports.admin}));
  WEFT_TRY(health_->listen(any(settings_.ports.health)));
  WEFT_TRY(metrics_->listen(any(settings_.ports.metrics)));
  // IPv6 as well, where the pod has it.
  for (auto* server : {health_.get(), metrics_.get()}) {
    const std::uint16_t port = server->local_address().port;
    const Status v6 = server->listen(Address{*IpAddress::parse("::"), port});
    if (!v6) log::debug("no IPv6 listener", {{"error", v6.error().message}});
  }
  WEFT_TRY(control_socket_->listen(control_socket_path(settings_.state_folder)));
  if (const auto cached = cache_.read()) {
    const Status loaded = store_.load(*cached);
    if (loaded)
      log::info("configuration of last time is in force",
                {{"resources", std::to_string(store_.resources().size())}});
    else
      log::warning("the cached configuration is of no use", {{"error", loaded.error().message}});
  }
  auto resolver = io::make_resolver(loop_);
  if (!resolver) return fail(resolver.error().in("name resolution"));
  resolver_ = *std::move(resolver);
  identity_ = std::make_unique<kube::WorkloadIdentity>(
      loop_, *resolver_, random_, identity_options(settings_),
      anchor_.guard([this](const kube::WorkloadCredentials& credentials) { identity_changed(credentials); }));
  identity_->start();
  config_client_->start();
  return {};
}

int Sidecar::run() {
  for (const int number : {SIGTERM, SIGINT}) {
    auto watch = io::watch_signal(loop_, number, anchor_.guard([this] { stop(); }));
    if (watch)
      signals_.push_back(*std::move(watch));
    else
      log::warning("a signal cannot be watched", {{"error", watch.error().message}});
  }
  log::info("weft-sidecar runs", {{"pod", str_cat(settings_.pod_namespace, "/", settings_.pod_name)},
                                  {"workers", std::to_string(settings_.workers)}});
  loop_.run();
  return 0;
}

// ---- identity and configuration ----

std::unique_ptr<io::Connecting> Sidecar::connect_discovery(http::GrpcChannel::ConnectDone done) {
  if (!credentials_) {
    loop_.defer([done = std::move(done)] {
      done(fail(Code::unavailable, "there is no certificate yet to show to discovery"));
    });
    return nullptr;
  }
  http::DialTarget target;
  target.address.port = settings_.discovery.port;
  target.context = credentials_->client;
  target.expected_identity = control_plane_id(settings_, settings_.discovery);
  target.server_name = settings_.discovery.host;
  target.alpn = {"h2"};
  return http::dial_host(loop_, *resolver_, settings_.discovery.host, std::move(target), std::move(done));
}

void Sidecar::identity_changed(const kube::WorkloadCredentials&) {
  publish_credentials();
  config_client_->identity_changed();
}

void Sidecar::publish_credentials() {
  const kube::WorkloadCredentials& held = identity_->credentials();
  if (!held.svid) return;
  auto client = tls::Context::client(held.svid, held.bundle);
  auto server = tls::Context::server(held.svid, held.bundle, {inbound_protocols(), true});
  if (!client || !server) {
    return log::error("a certificate cannot be used",
                      {{"error", client ? server.error().message : client.error().message}});
  }
  credentials_ = std::make_shared<const Credentials>(Credentials{*std::move(client), *std::move(server)});
  for (const auto& slot : workers_) slot->worker.set_credentials(credentials_);
  log::info("certificate is in force",
            {{"identity", held.svid->id.to_string()}, {"until", format_time(held.svid->not_after)}});
  open_inbound_when_ready();
}

void Sidecar::config_changed(const std::shared_ptr<const Config>& config) {
  ++config_updates_;
  for (const auto& slot : workers_) slot->worker.set_config(config);
  if (config->inbound) {
    const policy::InboundPolicy& inbound = config->inbound->policy();
    const auto level = log::parse_level(inbound.log_level);
    log::set_level(level.value_or(settings_.log_level));
    for (const auto& slot : workers_) slot->telemetry.set_access_log(inbound.access_log);
  }
  cache_.write_soon([this] { return store_.save(); });  // cache_ is a member: it does not outlive this
  open_inbound_when_ready();
}

void Sidecar::watch_address_use() {
  config_client_->release_unused();
  for (const auto& slot : workers_) {
    slot->worker.take_used_addresses([this](std::vector<Address> used) {
      if (used.empty()) return;
      loop_.post(anchor_.guard([this, used = std::move(used)] { config_client_->used(used); }));
    });
  }
}

// A pod without its first inbound policy or certificate accepts nothing.
void Sidecar::open_inbound_when_ready() {
  if (inbound_asked_ || !store_.current()->inbound || !credentials_) return;
  inbound_asked_ = true;
  for (const auto& slot : workers_) {
    slot->worker.open_inbound([this](const Status& opened) {
      loop_.post(anchor_.guard([this, opened] {
        if (opened)
          ++inbound_open_;
        else
          log::error("inbound port cannot be opened", {{"error", opened.error().message}});
      }));
    });
  }
}

Status Sidecar::ready() const {
  if (draining_) return fail(Code::unavailable, "draining");
  if (!credentials_) {
    return fail(Code::unavailable,
                identity_->last_error() ? identity_->last_error()->message : "no certificate yet");
  }
  if (!store_.current()->inbound)
    return fail(Code::unavailable, "no inbound policy yet: discovery has not answered");
  if (inbound_open_ < workers_.size()) return fail(Code::unavailable, "the inbound port is not open yet");
  return {};
}

// ---- the end ----

void Sidecar::drain() {
  if (draining_) return;
  draining_ = true;
  log::info("draining: inbound callers are told to go elsewhere");
  for (const auto& slot : workers_) slot->worker.drain_inbound();
}

// The application is gone when this comes (a native sidecar outlives it): what is still under way may finish.
void Sidecar::stop() {
  if (stopping_since_) return loop_.stop();
  drain();
  stopping_since_ = loop_.now();
  stop_when_empty();
}

void Sidecar::stop_when_empty() {
  std::size_t connections = 0;
  for (const auto& slot : workers_) connections += slot->worker.connections();
  Duration limit = limits::drain_timeout_max;
  if (const auto& inbound = store_.current()->inbound) {
    limit = std::min<Duration>(limit, inbound->policy().drain_timeout);
  }
  // Done before the kubelet's SIGKILL, with five seconds to spare.
  limit = std::min<Duration>(limit,
                             std::max<Duration>(settings_.grace - std::chrono::seconds(5), Duration::zero()));
  const bool late = loop_.now() - *stopping_since_ >= limit;
  if (connections == 0 || late) {
    if (late) log::warning("drain time is over", {{"connections", std::to_string(connections)}});
    return loop_.stop();
  }
  stop_timer_->start(stop_poll);
}

http::SimpleReply Sidecar::control(std::string_view command, std::string_view argument) {
  if (command == "drain") {
    drain();
    return text_reply(200, "draining\n");
  }
  if (command == "renew") {
    identity_->renew_now();
    return text_reply(200, "renewing\n");
  }
  if (command == "log-level") {
    const auto level = log::parse_level(trim(argument));
    if (!level) return text_reply(400, "expected debug, info, warning, error or off\n");
    log::set_level(*level);
    return text_reply(200, str_cat("log level is ", trim(argument), "\n"));
  }
  return text_reply(404, "commands: drain, renew, log-level LEVEL\n");
}

// ---- what can be seen ----

ProcessMetrics Sidecar::process_metrics() const {
  ProcessMetrics metrics;
  metrics.version = WEFT_VERSION;
  if (const auto& svid = identity_->credentials().svid) metrics.certificate_not_after = svid->not_after;
  metrics.certificate_renewals = identity_->issued();
  metrics.certificate_renewals_failed = identity_->failures();
  metrics.discovery_connected = config_client_->connected();
  metrics.config_updates = config_updates_;
  metrics.config_updates_refused = config_client_->updates_refused();
  metrics.config_versions = store_.held();
  metrics.ready = ready().has_value();
  metrics.draining = draining_;
  metrics.application_scrapes = application_metrics_->asked();
  metrics.application_scrapes_failed = application_metrics_->failed();
  for (const auto& slot : workers_) {
    metrics.pool_connections += slot->worker.pooled_connections();
    metrics.pool_idle_connections += slot->worker.idle_connections();
  }
  return metrics;
}

void Sidecar::serve_admin(const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
  const std::string_view path = http::path_of(request.head.target);
  if (request.head.method != "GET" && request.head.method != "HEAD") {
    return respond(text_reply(405, "the admin port is read-only\n"));
  }
  if (path == "/ready") return serve_health(request, std::move(respond));
  if (path == "/config")
    return respond(json_reply(config_view(store_, endpoints_, loop_.now(), settings_.outbound_policy)));
  if (path == "/endpoints")
    return respond(json_reply(endpoints_view(*store_.current(), endpoints_, loop_.now())));
  if (path == "/certificates") return respond(json_reply(certificates_view(identity_->credentials())));
  if (path == "/metrics") return serve_metrics(request, std::move(respond));
  respond(text_reply(404, "/ready /config /endpoints /certificates /metrics\n"));
}

void Sidecar::serve_health(const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
  const std::string_view path = http::path_of(request.head.target);
  if (path.starts_with(Probes::path_prefix)) {
    const auto user_agent = request.head.headers.get("user-agent").value_or("");
    return probes_->probe(path, user_agent, std::move(respond));
  }
  if (path != "/ready")
    return respond(text_reply(404, "/ready, and /app-health/ for the application's probes\n"));
  const Status state = ready();
  respond(state ? text_reply(200, "ready\n") : text_reply(503, state.error().message + "\n"));
}

void Sidecar::serve_metrics(const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
  const std::string_view path = http::path_of(request.head.target);
  if (path != "/metrics" && path != "/stats/prometheus") return respond(text_reply(404, "/metrics\n"));
  const auto reply = [](std::string text) {
    return http::SimpleReply{200, std::move(text), "text/plain; version=0.0.4", {}};
  };
  const auto own = [this] { return metrics_of_workers_.render(process_metrics(), loop_.wall_now()); };
  if (!application_metrics_->wanted()) return respond(reply(own()));
  // Ours are counted behind the application's answer, so that a failure shows in the very scrape that met it.
  application_metrics_->ask(
      patience_for(request.head.headers.get("x-prometheus-scrape-timeout-seconds").value_or("")),
      anchor_.guard([reply, own, respond = std::move(respond)](const Result<std::string>& page) {
        respond(reply(page ? merge_expositions(own(), *page)
                           : own() + missing_application_comment(page.error().message)));
      }));
}

}  // namespace weft::sidecar
