#include "sidecar/inbound.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "sidecar/telemetry.h"

namespace weft::sidecar {
namespace {

constexpr std::string_view mesh_alpn_prefix = "weft-";
// A plaintext HTTP caller is told what is wrong, readably, whatever it asked for.
std::string mtls_required_reply() {
  constexpr std::string_view text =
      "This port accepts mutual TLS only (weft.mesh/mtls: strict), and the caller has no mesh sidecar.\n";
  return str_cat("HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ",
                 text.size(), "\r\nx-weft-error: mtls-required\r\nconnection: close\r\n\r\n", text);
}

bool offers_mesh_tls(const codec::ClientHello& hello) {
  for (const std::string& protocol : hello.alpn) {
    if (protocol.starts_with(mesh_alpn_prefix)) return true;
  }
  return false;
}

}  // namespace

InboundConnection::InboundConnection(WorkerContext& context, ConnectionOwner& owner,
                                     std::unique_ptr<io::Stream> downstream,
                                     const Address& original_destination)
    : context_(context),
      owner_(owner),
      downstream_(std::move(downstream)),
      application_(original_destination),
      started_(context.loop.now()) {
  record_.started = context_.loop.wall_now();
  record_.peers.direction = Direction::inbound;
  record_.peers.source_address = downstream_->peer_address().to_string();
  record_.peers.destination_address = original_destination.to_string();
  context_.telemetry.connection_opened(Direction::inbound);
  // Not inline: the owner does not have it yet, and it may be over at once.
  context_.loop.defer(anchor_.guard([this] { begin(); }));
}

InboundConnection::~InboundConnection() = default;

// ---- who calls ----

void InboundConnection::begin() {
  policy_ = context_.config->inbound;
  if (!policy_) return refuse("no-config", "this pod has no inbound policy yet");
  record_.peers.destination_identity = policy_->policy().identity;
  if (port().config.mtls != policy::MtlsMode::disable && !context_.credentials) {
    return refuse("no-certificate", "this pod has no certificate yet");
  }
  switch (port().config.mtls) {
    case policy::MtlsMode::disable:
      return follow(policy::inbound_plan(port().config.protocol, port().rules.has_http_rules(), {}));
    case policy::MtlsMode::strict:
      return preread(limits::handshake_timeout);
    case policy::MtlsMode::permissive:
      // A port declared HTTP cannot be the server that speaks first: no need to be quick.
      return preread(port().config.protocol == policy::Protocol::http1 ? Duration(limits::header_read_timeout)
                                                                       : Duration(limits::detect_silence));
  }
}

void InboundConnection::preread(Duration patience) {
  preread_ = std::make_unique<Preread>(
      context_.loop, std::move(downstream_), std::move(start_.from_downstream), patience,
      anchor_.guard([this](Preread::Result read) { preread_done(std::move(read)); }));
}

void InboundConnection::preread_done(Preread::Result read) {
  context_.loop.delete_later(std::move(preread_));
  if (read.outcome == Preread::Outcome::failed) return over("downstream-closed");
  if (read.outcome == Preread::Outcome::ended && read.bytes.empty()) return over("");
  start_.downstream_ended = read.outcome == Preread::Outcome::ended;
  if (stage_ == Stage::detecting) return first_bytes(std::move(read));
  // Inside TLS, or on a port without: only the protocol is open.
  downstream_ = std::move(read.stream);
  start_.from_downstream = std::move(read.bytes);
  if (read.detection.kind == codec::Detection::Kind::http1) return serve_http();
  follow(policy::inbound_plan(policy::Protocol::tcp, port().rules.has_http_rules(), {}));
}

void InboundConnection::first_bytes(Preread::Result read) {
  using Kind = codec::Detection::Kind;
  const bool strict = port().config.mtls == policy::MtlsMode::strict;
  downstream_ = std::move(read.stream);
  start_.from_downstream = std::move(read.bytes);
  if (read.outcome == Preread::Outcome::silent) {
    if (strict) return refuse("handshake-timeout", "the caller sent no ClientHello in time");
    return silent_caller();
  }
  if (read.detection.kind == Kind::tls && (strict || offers_mesh_tls(read.detection.hello))) return secure();
  if (read.detection.kind == Kind::malformed_tls && strict)
    return refuse("malformed-tls", read.detection.error.message);
  if (strict) return refuse_plaintext(read);
  plaintext(std::move(read));
}

// Permissive, and the caller has not said a word: a server-first protocol, or a slow ClientHello.
void InboundConnection::silent_caller() {
  const Address source{downstream_->peer_address().ip, 0};
  const policy::AddressOwner* owner = context_.config->owner(source);
  const bool meshed = owner && owner->kind == policy::AddressOwner::Kind::pod && !owner->pod.identity.empty();
  if (meshed && !asked_source_) {
    asked_source_ = true;
    return preread(limits::handshake_timeout);
  }
  // Asked only of addresses that could be meshed at all: others come without end.
  if (!owner && context_.in_mesh(source.ip)) context_.ask_owner(source);
  Preread::Result nothing;
  nothing.outcome = Preread::Outcome::silent;
  plaintext(std::move(nothing));
}

void InboundConnection::plaintext(Preread::Result read) {
  stage_ = Stage::serving;
  const policy::InboundPlan plan =
      policy::inbound_plan(port().config.protocol, port().rules.has_http_rules(), {});
  if (plan != policy::InboundPlan::detect) return follow(plan);
  if (read.detection.kind == codec::Detection::Kind::http1) return serve_http();
  // Detection is over, and it is not HTTP/1: as if the port had been declared TCP.
  follow(policy::inbound_plan(policy::Protocol::tcp, port().rules.has_http_rules(), {}));
}

void InboundConnection::refuse_plaintext(const Preread::Result& read) {
  const bool http = read.detection.kind == codec::Detection::Kind::http1;
  log::warning("plaintext caller on a strict port",
               {{"caller", record_.peers.source_address},
                {"port", std::to_string(application_.port)},
                {"protocol", http ? "HTTP/1" : "other"},
                {"hint", "inject the caller, or set weft.mesh/mtls: permissive on this workload"}});
  context_.telemetry.connection_refused(Direction::inbound, "mtls-required");
  if (!http) return over("mtls-required");
  // The reply is small and the caller's request was read: what is left behind is a clean close.
  downstream_->write(mtls_required_reply());
  downstream_->end();
  preread_ =
      std::make_unique<Preread>(context_.loop, std::move(downstream_), std::string(), std::chrono::seconds(1),
                                anchor_.guard([this](Preread::Result) { over("mtls-required"); }));
}

void InboundConnection::secure() {
  stage_ = Stage::securing;
  downstream_->resume();
  handshake_ = tls::handshake_server(
      context_.loop, std::move(downstream_), std::move(start_.from_downstream), context_.credentials->server,
      limits::handshake_timeout,
      anchor_.guard([this](Result<std::unique_ptr<tls::TlsStream>> stream) { secured(std::move(stream)); }));
  start_ = TunnelStart();
}

void InboundConnection::secured(Result<std::unique_ptr<tls::TlsStream>> stream) {
  context_.loop.delete_later(std::move(handshake_));
  if (!stream) {
    log::info("inbound TLS failed",
              {{"caller", record_.peers.source_address}, {"error", stream.error().message}});
    context_.telemetry.connection_refused(Direction::inbound, "tls-failed");
    return over("tls-failed");
  }
  const tls::PeerInfo& peer = (*stream)->peer();
  caller_ = Caller{peer.identity, peer.certificate_sha256};
  if (peer.identity) record_.peers.source_identity = peer.identity->to_string();
  record_.peers.mutual_tls = true;
  record_.peers.tls_version = "TLSv1.3";
  const std::string alpn = (*stream)->alpn();
  stage_ = Stage::serving;
  downstream_ = *std::move(stream);
  expiry_ = context_.loop.make_timer(anchor_.guard([this] { end_gracefully("certificate-expired"); }));
  expiry_->start(peer.not_after - context_.loop.wall_now());
  follow(policy::inbound_plan(port().config.protocol, port().rules.has_http_rules(), alpn));
}

// ---- what it may do ----

void InboundConnection::follow(policy::InboundPlan plan) {
  stage_ = Stage::serving;
  switch (plan) {
    case policy::InboundPlan::http1:
      return serve_http();
    case policy::InboundPlan::http2:
      // HTTP/2 is not looked into yet: it may pass as bytes only where no rule has to see its requests.
      if (port().rules.has_http_rules()) return refuse("http-rule-on-opaque", "HTTP rules govern this port");
      return open_application();
    case policy::InboundPlan::opaque:
      return open_application();
    case policy::InboundPlan::detect:
      return preread(limits::detect_silence);
    case policy::InboundPlan::close:
      return refuse("http-rule-on-opaque", "HTTP rules govern this port, and the caller proposes opaque TCP");
  }
}

void InboundConnection::serve_http() {
  gate_ = std::make_unique<InboundGate>(context_, caller_, application_);
  downstream_->resume();
  http_ = std::make_unique<HttpDownstream>(context_, *gate_, std::move(downstream_),
                                           std::move(start_.from_downstream), record_.peers,
                                           anchor_.guard([this] { over(""); }));
}

bool InboundConnection::tcp_permitted() {
  const policy::RbacDecision decision = port().rules.decide(caller_id(), nullptr);
  record_.rule = decision.recorded_rule();
  if (!decision.allowed) refuse("rbac-denied", decision.to_string());
  return decision.allowed;
}

// Never before the caller was authorised.
void InboundConnection::open_application() {
  if (!tcp_permitted()) return;
  io::ConnectOptions options;
  options.timeout = limits::connect_timeout;
  record_.peers.endpoint = application_.to_string();
  connecting_ = context_.loop.connect(
      application_, options, anchor_.guard([this](Result<std::unique_ptr<io::Stream>> application) {
        context_.loop.delete_later(std::move(connecting_));
        if (!application) return refuse(undelivered_reason, application.error().message);
        context_.telemetry.connection_joined(record_.peers);
        tunnel_ = std::make_unique<Tunnel>(
            context_.loop, std::move(downstream_), *std::move(application), start_, limits::tcp_idle_timeout,
            anchor_.guard([this](const TunnelResult& result) { over(note_result(result, record_)); }));
        start_ = TunnelStart();
      }));
}

// ---- changes and the end ----

void InboundConnection::config_changed() {
  if (over_ || !policy_ || !context_.config->inbound || policy_ == context_.config->inbound) return;
  policy_ = context_.config->inbound;
  const bool plain = caller_id() == nullptr && stage_ == Stage::serving;
  if (plain && port().config.mtls == policy::MtlsMode::strict) return end_gracefully("policy-changed");
  if (tunnel_ || connecting_) {
    if (!port().rules.decide(caller_id(), nullptr).allowed || port().rules.has_http_rules()) {
      end_gracefully("policy-changed");
    }
  } else if (http_ && (http_->in_tunnel() || !port().rules.permits_any_http(caller_id()))) {
    // What a tunnel was admitted by is not kept: after a change of the rules its client asks again.
    end_gracefully("policy-changed");
  }
}

// HTTP finishes what is under way. Opaque TCP has no such moment: it ends when policy refuses it, and
// outlives a certificate.
void InboundConnection::end_gracefully(std::string_view reason) {
  const bool policy_changed = reason == "policy-changed";
  // A tunnel has no next request at which it would be asked again.
  if (http_ && http_->in_tunnel() && policy_changed)
    return http_->close(Error{Code::refused, std::string(reason)});
  if (http_) return http_->drain();
  if (reason == "certificate-expired") return;
  if (tunnel_) return tunnel_->abort(Error{Code::refused, std::string(reason)});
  refuse(reason, "the policy of this port has changed");
}

void InboundConnection::root_removed() {
  if (!over_ && record_.peers.mutual_tls) end_gracefully("root-removed");
}

void InboundConnection::drain() {
  if (http_) http_->drain();
}

void InboundConnection::refuse(std::string_view reason, std::string_view text) {
  log::info("inbound connection refused",
            {{"caller", caller_.identity ? caller_.identity->to_string() : record_.peers.source_address},
             {"port", std::to_string(application_.port)},
             {"reason", std::string(reason)},
             {"why", std::string(text)}});
  context_.telemetry.connection_refused(Direction::inbound, reason);
  if (downstream_) downstream_->reset();
  over(reason);
}

void InboundConnection::over(std::string_view reason) {
  if (over_) return;
  over_ = true;
  record_.reason = reason;
  record_.duration = context_.loop.now() - started_;
  if (!http_) context_.telemetry.connection_done(record_, tunnel_ != nullptr);
  anchor_.drop();
  owner_.connection_over(*this);
}

}  // namespace weft::sidecar
