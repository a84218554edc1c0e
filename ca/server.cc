#include "ca/server.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"

namespace weft::ca {
namespace {

using namespace std::chrono_literals;

constexpr auto drain_grace = 5s;
constexpr auto renew_retry = 30s;

// A CSR is at most 16 KiB; nobody may make us hold more than a little of it.
http::GrpcServerOptions grpc_options() {
  http::GrpcServerOptions options;
  options.message_bytes_max = 256 * 1024;
  return options;
}

}  // namespace

Server::Server(io::Loop& loop, const Authority& authority, TokenVerifier& tokens, const IssuePolicy& policy,
               ServingIdentity identity)
    : loop_(loop),
      authority_(authority),
      tokens_(tokens),
      policy_(policy),
      identity_(std::move(identity)),
      service_(loop, authority, tokens, policy, metrics_),
      grpc_(loop, grpc_options()) {
  // Not in the list above: the anchor, as the last member, is made after it.
  metrics_server_ = std::make_unique<http::SimpleServer>(
      loop_, anchor_.guard([this](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
        respond(reply(request));
      }));
  acceptor_ = std::make_unique<tls::Acceptor>(
      loop_, anchor_.guard([this](std::unique_ptr<tls::TlsStream> stream) { accepted(std::move(stream)); }),
      anchor_.guard([this](const Address& peer, const Error& error) {
        ++metrics_.handshakes_failed;
        log::info("TLS handshake failed", {{"peer", peer.to_string()}, {"reason", error.message}});
      }));
  renew_timer_ = loop_.make_timer(anchor_.guard([this] { renew_later(); }));
  service_.serve(grpc_);
  metrics_.signing_not_after = authority.not_after();
}

Status Server::start() {
  WEFT_TRY(renew());
  reload_token_keys();
  return {};
}

// The CA is its own first customer: same template, same roots, key in memory only.
Status Server::renew() {
  IssuePolicy own = policy_;
  own.control_plane[str_cat(identity_.id.name_space, "/", identity_.id.service_account)] =
      identity_.dns_names;
  WEFT_ASSIGN(auto key, tls::PrivateKey::generate());
  WEFT_ASSIGN(auto issued, authority_.issue(identity_.id, key.public_key(), own, {}, loop_.wall_now()));
  WEFT_ASSIGN(auto svid, tls::make_svid(std::move(key), issued.chain));
  tls::ServerContextOptions options;
  options.alpn = {"h2"};
  options.require_client_certificate =
      false;  // callers are here to get their first one; the token says who they are
  WEFT_ASSIGN(auto context, tls::Context::server(svid, nullptr, std::move(options)));
  acceptor_->use(std::move(context));
  metrics_.serving_not_after = svid->not_after;
  const Duration left = svid->not_after - loop_.wall_now();
  renew_timer_->start(std::max<Duration>(left / 2, 1s));
  log::info("serving certificate", {{"id", svid->id.to_string()},
                                    {"dns_names", join(identity_.dns_names, ",")},
                                    {"expires", format_time(svid->not_after)}});
  return {};
}

void Server::renew_later() {
  const auto renewed = renew();
  if (renewed) return;
  log::error("serving certificate was not renewed", {{"reason", renewed.error().message}});
  renew_timer_->start(renew_retry);
}

void Server::reload_token_keys() {
  const auto loaded = tokens_.reload();
  metrics_.token_keys = tokens_.keys();
  if (loaded) {
    log::info("token keys", {{"file", tokens_.file()}, {"keys", std::to_string(tokens_.keys())}});
  } else {
    ++metrics_.jwks_reloads_failed;
    log::warning("token keys", {{"reason", loaded.error().message}});
  }
}

void Server::accepted(std::unique_ptr<tls::TlsStream> stream) {
  http::GrpcPeer peer{stream->peer_address(), std::nullopt};
  grpc_.accept(std::move(stream), std::move(peer));
}

http::SimpleReply Server::reply(const http::SimpleRequest& request) {
  const auto path = http::path_of(request.head.target);
  if (path == "/metrics") {
    metrics_.connections = grpc_.connections();
    return {200, metrics_.render(), "text/plain; version=0.0.4; charset=utf-8", {}};
  }
  if (path == "/ready") {
    // Without token keys every request would be refused: not ready, and the reason is in the log.
    if (tokens_.keys() == 0) return {503, "no keys to check tokens with\n"};
    return {200, "ready\n"};
  }
  return {404, "try /metrics or /ready\n"};
}

void Server::drain(Function<void()> done) {
  acceptor_->stop_listening();
  grpc_.drain(drain_grace, std::move(done));
}

}  // namespace weft::ca
