// weft-discovery: wires source, configuration server, own identity, metrics. All on one loop.
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "discovery/folder_source.h"
#include "discovery/mesh_listener.h"
#include "discovery/metrics.h"
#include "discovery/server.h"
#include "discovery/wrong_view.h"
#include "http/grpc_server.h"
#include "http/simple_server.h"
#include "io/resolver.h"
#include "io/signals.h"
#include "io/uv_loop.h"
#include "kube/workload_identity.h"
#include "tls/context.h"

namespace weft::discovery {
namespace {

struct Arguments {
  std::vector<std::string> folders;
  std::string listen = "[::]:15011";
  std::string metrics = "[::]:15014";
  std::string admin = "127.0.0.1:15000";
  std::string trust_domain = "cluster.local";
  std::string cluster_domain = "cluster.local";
  std::string system_namespace = "weft-system";
  std::string service_account = "weft-discovery";
  std::string ca_address = "weft-ca.weft-system.svc:15012";
  std::string ca_server_name;
  std::string ca_service_account = "weft-ca";
  std::string token_file = "/var/run/secrets/weft.mesh/token/token";
  std::string bundle_file = "/var/run/secrets/weft.mesh/bundle/root-cert.pem";
  std::vector<std::string> mesh_cidrs;
  std::string log_level = "info";
  bool no_peer_address_check = false;
};

void declare(CLI::App& app, Arguments& to) {
  app.add_option("--folder", to.folders, "Folder of manifests to watch; may be given several times")
      ->required();
  app.add_option("--listen", to.listen, "Address of the configuration stream")->capture_default_str();
  app.add_option("--metrics", to.metrics, "Address of /metrics and /ready")->capture_default_str();
  app.add_option("--admin", to.admin, "Loopback address of /annotations")->capture_default_str();
  app.add_option("--trust-domain", to.trust_domain, "Trust domain of all identities")->capture_default_str();
  app.add_option("--cluster-domain", to.cluster_domain, "DNS domain of the cluster")->capture_default_str();
  app.add_option("--system-namespace", to.system_namespace, "Namespace of CA and discovery")
      ->capture_default_str();
  app.add_option("--service-account", to.service_account, "Own service account")->capture_default_str();
  app.add_option("--ca-address", to.ca_address, "HOST:PORT of the CA")->capture_default_str();
  app.add_option("--ca-server-name", to.ca_server_name,
                 "DNS name the CA's certificate must have (default: its host)");
  app.add_option("--ca-service-account", to.ca_service_account, "Service account of the CA")
      ->capture_default_str();
  app.add_option("--token-file", to.token_file, "Own service-account token")->capture_default_str();
  app.add_option("--bundle-file", to.bundle_file, "Trust roots, PEM")->capture_default_str();
  app.add_option("--mesh-cidr", to.mesh_cidrs,
                 "Range of pods' or Services' addresses; may be given several times")
      ->delimiter(',');
  app.add_option("--log-level", to.log_level, "debug, info, warning, error or off")->capture_default_str();
  app.add_flag("--no-peer-address-check", to.no_peer_address_check,
               "Do not compare a sidecar's address with its pod's (where the network changes it)");
}

Result<ServerOptions> server_options(const Arguments& arguments) {
  ServerOptions out;
  out.mesh.trust_domain = arguments.trust_domain;
  out.mesh.cluster_domain = arguments.cluster_domain;
  for (const std::string& text : arguments.mesh_cidrs) {
    auto range = Cidr::parse(text);
    if (!range) return fail(range.error().in("--mesh-cidr"));
    out.mesh.ranges.push_back(*range);
  }
  out.check_peer_address = !arguments.no_peer_address_check;
  return out;
}

kube::WorkloadIdentityOptions identity_options(const Arguments& arguments) {
  kube::WorkloadIdentityOptions out;
  out.id = {arguments.trust_domain, arguments.system_namespace, arguments.service_account};
  out.ca_id = {arguments.trust_domain, arguments.system_namespace, arguments.ca_service_account};
  out.ca_address = arguments.ca_address;
  out.ca_server_name = arguments.ca_server_name;
  out.token_file = arguments.token_file;
  out.bundle_file = arguments.bundle_file;
  return out;
}

kube::TrustRoots roots_of(const tls::TrustBundle& bundle) {
  kube::TrustRoots out;
  for (const tls::Certificate& root : bundle.roots()) out.roots_pem.push_back(root.to_pem());
  return out;
}

// Where a machine has no IPv6, "[::]" means all of IPv4.
template <class Listen>
Status listen_anywhere(const Address& address, Listen listen) {
  Status done = listen(address);
  if (done || !address.ip.is_v6() || !address.ip.is_unspecified()) return done;
  log::info("no IPv6 here, listening on IPv4 alone", {{"error", done.error().message}});
  return listen(Address{IpAddress(), address.port});
}

// Everything that lives on the loop, in the order in which it may die (last first).
class Program {
 public:
  Program(io::UvLoop& loop, io::Resolver& resolver, const Arguments& arguments, ServerOptions options,
          Address listen)
      : loop_(loop),
        listen_(listen),
        random_(system_random_seed()),
        server_(loop, std::move(options)),
        grpc_(loop),
        mesh_(loop, grpc_),
        source_(loop, arguments.folders) {
    server_.add_to(grpc_);
    identity_ = std::make_unique<kube::WorkloadIdentity>(
        loop_, resolver, random_, identity_options(arguments),
        anchor_.guard([this](const kube::WorkloadCredentials& fresh) { credentials_changed(fresh); }));
    metrics_ = std::make_unique<http::SimpleServer>(
        loop_, anchor_.guard([this](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
          answer(request, respond);
        }));
    admin_ = std::make_unique<http::SimpleServer>(
        loop_, anchor_.guard([this](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
          answer_admin(request, respond);
        }));
  }

  Status start(const Address& metrics, const Address& admin) {
    WEFT_TRY(listen_anywhere(metrics, [&](const Address& at) { return metrics_->listen(at); }));
    // For people only: no reason not to serve sidecars.
    if (const Status open = admin_->listen(admin); !open)
      log::warning("no admin page", {{"error", open.error().message}});
    source_.start(anchor_.guard([this](std::vector<Change> changes) { server_.take(std::move(changes)); }));
    identity_->start();
    for (const int number : {SIGTERM, SIGINT}) {
      WEFT_ASSIGN(auto watch, io::watch_signal(loop_, number, anchor_.guard([this] { stop(); })));
      signals_.push_back(std::move(watch));
    }
    return {};
  }
  bool failed() const { return failed_; }

 private:
  void credentials_changed(const kube::WorkloadCredentials& fresh) {
    server_.set_bundle(roots_of(*fresh.bundle));
    Status ready = mesh_.set_credentials(fresh);
    if (ready && !mesh_.listening() && !stopping_)
      ready = listen_anywhere(listen_, [&](const Address& at) { return mesh_.listen(at); });
    if (ready) return;
    log::error(ready.error().message);
    failed_ = true;
    loop_.stop();
  }

  void answer(const http::SimpleRequest& request, http::SimpleServer::Respond& respond) {
    const std::string_view path = http::path_of(request.head.target);
    if (path == "/metrics") {
      MetricsInput input{.server = server_,
                         .handshakes_failed = mesh_.handshakes_failed(),
                         .source_errors = source_.errors(),
                         .broken_files = source_.broken_files(),
                         .certificates_issued = identity_->issued(),
                         .certificate_failures = identity_->failures(),
                         .certificate_expiry = {}};
      if (const auto& svid = identity_->credentials().svid) input.certificate_expiry = svid->not_after;
      return respond(
          {.status = 200, .body = metrics_text(input), .content_type = "text/plain; version=0.0.4"});
    }
    if (path != "/ready") return respond({.status = 404, .body = "try /metrics or /ready\n"});
    std::string missing;
    if (!server_.synced()) missing += "the source was not read yet\n";
    if (!mesh_.listening()) {
      missing +=
          identity_->last_error() ? identity_->last_error()->message : std::string("no certificate yet");
      missing += '\n';
    }
    respond(missing.empty() ? http::SimpleReply{.status = 200, .body = "ready\n"}
                            : http::SimpleReply{.status = 503, .body = missing});
  }

  void answer_admin(const http::SimpleRequest& request, http::SimpleServer::Respond& respond) {
    if (http::path_of(request.head.target) != "/annotations")
      return respond({.status = 404, .body = "/annotations: wrong ones, and what is in force instead\n"});
    respond({.status = 200,
             .body = wrong_view(server_.state().policies().wrong()),
             .content_type = "application/json"});
  }

  void stop() {
    if (stopping_) return loop_.stop();
    stopping_ = true;
    log::info("stopping");
    mesh_.stop();
    // Streams of sidecars do not end by themselves: a moment for what is under way, then they are cut, and
    // the sidecars go to another replica or wait.
    grpc_.drain(std::chrono::milliseconds(500), anchor_.guard([this] { loop_.stop(); }));
  }

  io::UvLoop& loop_;
  Address listen_;
  SeededRandom random_;
  ConfigServer server_;
  http::GrpcServer grpc_;
  MeshListener mesh_;
  FolderSource source_;
  std::unique_ptr<kube::WorkloadIdentity> identity_;
  std::unique_ptr<http::SimpleServer> metrics_;
  std::unique_ptr<http::SimpleServer> admin_;
  std::vector<std::unique_ptr<io::SignalWatch>> signals_;
  bool stopping_ = false;
  bool failed_ = false;
  Anchor anchor_;
};

Status run(const Arguments& arguments) {
  WEFT_ASSIGN(const Address listen, Address::parse(arguments.listen));
  WEFT_ASSIGN(const Address metrics, Address::parse(arguments.metrics));
  WEFT_ASSIGN(const Address admin, Address::parse(arguments.admin));
  WEFT_ASSIGN(ServerOptions options, server_options(arguments));
  io::UvLoop loop;
  WEFT_ASSIGN(const auto resolver, io::make_resolver(loop));
  Program program(loop, *resolver, arguments, std::move(options), listen);
  WEFT_TRY(program.start(metrics, admin));
  log::info("discovery started", {{"listen", listen.to_string()}, {"metrics", metrics.to_string()}});
  loop.run();
  if (program.failed()) return fail(Code::io, "ended by the error above");
  return {};
}

}  // namespace
}  // namespace weft::discovery

int main(int argc, char** argv) {
  weft::discovery::Arguments arguments;
  CLI::App app(
      "The configuration server of weft: watches the cluster and streams to every sidecar what it needs");
  weft::discovery::declare(app, arguments);
  CLI11_PARSE(app, argc, argv);
  const auto level = weft::log::parse_level(arguments.log_level);
  weft::log::init("weft-discovery", level.value_or(weft::log::Level::info));
  if (!level) weft::log::warning("unknown log level, using info", {{"given", arguments.log_level}});
  if (const auto ran = weft::discovery::run(arguments); !ran) {
    weft::log::error(ran.error().message);
    return 1;
  }
  return 0;
}
