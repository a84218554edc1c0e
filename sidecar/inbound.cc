#include "sidecar/inbound.h"

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/path.h"
#include "sidecar/telemetry.h"

namespace weft::sidecar {
namespace {

constexpr std::string_view mesh_alpn_prefix = "weft-";
// A plaintext HTTP caller is told what is wrong, readably, whatever it asked for.
class MutualTlsRequired final : public Gate {
 public:
  Admission admit(codec::RequestHead& head, RequestRecord& record) override {
    record.path = policy::normalise_target(head.target).path();
    Admission admission;
    admission.reply = LocalReply{
        403,
        "mtls-required",
        "this port accepts mutual TLS only (weft.mesh/mtls: strict), and the caller has no mesh sidecar",
        {}};
    return admission;
  }
  bool permits(const codec::RequestHead&) const override { return false; }
};

bool offers_mesh_tls(const codec::ClientHello& hello) {
  for (const std::string& protocol : hello.alpn) {
    if (protocol.starts_with(mesh_alpn_prefix)) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> inbound_protocols() {
  return {"weft-h2", "weft-http/1.1", "weft-tcp", "http/1.1", "h2"};
}

InboundConnection::InboundConnection(WorkerContext& context, ConnectionOwner& owner,
                                     std::unique_ptr<io::Stream> downstream,
                                     const Address& original_destination)
    : Connection(context, owner, std::move(downstream), original_destination, Direction::inbound) {
  // Not inline: the owner does not have it yet, and it may be over at once.
  context_.loop.defer(anchor_.guard([this] { begin(); }));
}

InboundConnection::~InboundConnection() { http_.reset(); }  // gate_ outlives it

// ---- who calls ----

void InboundConnection::begin() {
  policy_ = context_.config->inbound;
  if (!policy_) return refuse("no-config", "this pod has no inbound policy yet");
  record_.peers.destination_identity = policy_->policy().identity;
  record_.peers.destination_workload = policy_->policy().workload_name;
  record_.peers.service = port().config.service;
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
      if (policy::is_http(port().config.protocol)) return preread(limits::header_read_timeout);
      return preread(caller_may_be_meshed(downstream_->peer_address().ip) ? Duration(limits::detect_silence)
                                                                          : silence());
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
  if (stage_ == Stage::detecting) return first_bytes(std::move(read));
  // Inside TLS, or on a port without: only the protocol is open.
  if (read.outcome == Preread::Outcome::silent) {
    return silent_client(std::move(read));
  }
  client_spoke(std::move(read));
}

// Where HTTP rules govern, nothing but HTTP can pass, so that there is no other side that might speak first.
void InboundConnection::silent_client(Preread::Result read) {
  const bool only_http = declared_http_ || port().rules.has_http_rules();
  only_http ? await_http(std::move(read)) : await_first_word(std::move(read));
}

void InboundConnection::first_bytes(Preread::Result read) {
  using Kind = codec::Detection::Kind;
  const bool strict = port().config.mtls == policy::MtlsMode::strict;
  if (read.outcome == Preread::Outcome::silent && !strict) return silent_caller(std::move(read));
  const Kind kind = read.detection.kind;
  if (!strict && !(kind == Kind::tls && offers_mesh_tls(read.detection.hello)))
    return plaintext(std::move(read));
  const Preread::Outcome outcome = read.outcome;
  const std::string error = read.detection.error.message;
  take(std::move(read));
  if (outcome == Preread::Outcome::silent)
    return refuse("handshake-timeout", "the caller sent no ClientHello in time");
  if (kind == Kind::tls) return secure();
  if (kind == Kind::malformed_tls) return refuse("malformed-tls", error);
  if (kind == Kind::http2) protocol_ = http::HttpProtocol::http2;
  refuse_plaintext(kind == Kind::http1 || kind == Kind::http2);
}

// Whether a ClientHello of the mesh may be on its way. Those outside its ranges have no sidecar.
bool InboundConnection::caller_may_be_meshed(const IpAddress& caller) const {
  const policy::AddressOwner* const owner = context_.config->owner(Address{caller, 0});
  if (!owner) return context_.in_mesh(caller);
  return owner->kind == policy::AddressOwner::Kind::pod && !owner->pod.identity.empty();
}

// Permissive, and the caller has not said a word: a server-first protocol, or a slow ClientHello.
void InboundConnection::silent_caller(Preread::Result read) {
  const Address source{read.stream->peer_address().ip, 0};
  const bool known = context_.config->owner(source) != nullptr;
  if (known) context_.used_addresses.insert(source);
  if (known && caller_may_be_meshed(source.ip) && !asked_source_) {
    asked_source_ = true;
    take(std::move(read));
    return preread(limits::handshake_timeout);
  }
  // Asked only of addresses that could be meshed at all: others come without end.
  if (!known && context_.in_mesh(source.ip)) context_.ask_owner(source);
  plaintext(std::move(read));
}

void InboundConnection::plaintext(Preread::Result read) {
  stage_ = Stage::serving;
  const policy::InboundPlan plan =
      policy::inbound_plan(port().config.protocol, port().rules.has_http_rules(), {});
  declared_http_ = plan == policy::InboundPlan::http;
  if (declared_http_ || plan == policy::InboundPlan::detect) {
    if (read.outcome == Preread::Outcome::silent) return silent_client(std::move(read));
    return client_spoke(std::move(read));
  }
  take(std::move(read));
  follow(plan);
}

// The ClientHello of a caller whose silence was taken for a server's turn to speak is not the application's.
void InboundConnection::client_spoke(Preread::Result read) {
  const bool late_hello = read.detection.kind == codec::Detection::Kind::tls && !record_.peers.mutual_tls &&
                          port().config.mtls != policy::MtlsMode::disable &&
                          offers_mesh_tls(read.detection.hello);
  if (!late_hello) return Connection::client_spoke(std::move(read));
  take(std::move(read));
  drop_upstream();
  secure();
}

// ---- plaintext where it must not be, and TLS ----

void InboundConnection::refuse_plaintext(bool http) {
  log::warning("plaintext caller on a strict port",
               {{"reason", "mtls-required"},
                {"caller", record_.peers.source_address},
                {"port", std::to_string(destination_.port)},
                {"protocol", http ? "HTTP" : "other"},
                {"hint", "inject the caller, or set weft.mesh/mtls: permissive on this workload"}});
  context_.telemetry.connection_refused(Direction::inbound, "mtls-required");
  if (!http) return over("mtls-required");
  // The caller may be in the midst of its body: it is read on for a while, so that it sees the answer.
  gate_ = std::make_unique<MutualTlsRequired>();
  Connection::serve_http(*gate_);
  http_->drain();
}

void InboundConnection::secure() {
  if (context_.certificate_expired())
    return refuse("certificate-expired", "this pod's certificate was not renewed: see the CA");
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
  if (root_removed_) {
    downstream_ = *std::move(stream);
    return refuse("root-removed", "the roots of trust changed during the handshake");
  }
  const tls::PeerInfo& peer = (*stream)->peer();
  caller_ = Caller{peer.identity, peer.certificate_sha256, (*stream)->peer_address().ip};
  if (peer.identity) record_.peers.source_identity = peer.identity->to_string();
  record_.peers.mutual_tls = true;
  record_.peers.tls_version = "TLSv1.3";
  const std::string alpn = (*stream)->alpn();
  record_.peers.from_sidecar = alpn.starts_with(mesh_alpn_prefix);
  if (peer.identity) find_source_workload();
  stage_ = Stage::serving;
  downstream_ = *std::move(stream);
  caller_not_after_ = peer.not_after;
  follow(policy::inbound_plan(port().config.protocol, port().rules.has_http_rules(), alpn));
}

// Whose address the caller's is, for log and metrics: asked once for each pod that calls. What comes before
// the answer is of unknown workload.
void InboundConnection::find_source_workload() {
  const Address source{caller_.ip, 0};
  if (context_.config->owner(source) != nullptr)
    context_.used_addresses.insert(source);
  else if (context_.in_mesh(source.ip))
    context_.ask_owner(source);
  record_.peers.source_workload = workload_of(*context_.config, caller_);
}

// ---- what it may do ----

void InboundConnection::follow(policy::InboundPlan plan) {
  stage_ = Stage::serving;
  switch (plan) {
    case policy::InboundPlan::http1:
      return serve_http();
    case policy::InboundPlan::http2:
      protocol_ = http::HttpProtocol::http2;
      return serve_http();
    case policy::InboundPlan::http:
      declared_http_ = true;
      return preread(limits::header_read_timeout);
    case policy::InboundPlan::detect:
      return preread(silence());
    case policy::InboundPlan::opaque:
    case policy::InboundPlan::close:
      return open_upstream();
  }
}

void InboundConnection::serve_http() {
  gate_ = std::make_unique<InboundGate>(context_, caller_, destination_);
  Connection::serve_http(*gate_);
  limit_life();
}

bool InboundConnection::tcp_permitted() {
  const policy::RbacDecision decision = port().rules.decide(caller_id(), nullptr);
  record_.rule = decision.recorded_rule();
  if (!decision.allowed) refuse("rbac-denied", decision.to_string());
  return decision.allowed;
}

// Never before the caller was authorised, and never where HTTP rules would have to see what is said.
void InboundConnection::open_upstream() {
  if (port().rules.has_http_rules())
    return refuse("http-rule-on-opaque", "HTTP rules govern this port, and the caller proposes opaque TCP");
  if (!tcp_permitted()) return;
  opening_ = true;
  io::ConnectOptions options;
  options.timeout = limits::connect_timeout;
  record_.peers.endpoint = destination_.to_string();
  connecting_ = context_.loop.connect(destination_, options,
                                      anchor_.guard([this](Result<std::unique_ptr<io::Stream>> application) {
                                        context_.loop.delete_later(std::move(connecting_));
                                        if (!application)
                                          return refuse(undelivered_reason, application.error().message);
                                        upstream_connected(*std::move(application));
                                      }));
}

// ---- changes and the end ----

void InboundConnection::config_changed() {
  if (over_ || !policy_ || !context_.config->inbound || policy_ == context_.config->inbound) return;
  policy_ = context_.config->inbound;
  const bool plain = caller_id() == nullptr && stage_ == Stage::serving;
  if (plain && port().config.mtls == policy::MtlsMode::strict) return revoke("policy-changed");
  if (tunnel_ || opening_) {
    if (!port().rules.decide(caller_id(), nullptr).allowed || port().rules.has_http_rules()) {
      return revoke("policy-changed");
    }
  } else if (http_ && !port().rules.permits_any_http(caller_id())) {
    return revoke("policy-changed");
  } else if (http_ && http_->end_refused_tunnels("policy-changed") &&
             protocol_ == http::HttpProtocol::http1) {
    return note_end("policy-changed");  // the connection was the tunnel
  }
  limit_life();
}

// HTTP ends at its caller's expiry and at its age limit, between two requests. Opaque TCP has no such moment:
// it does so only where weft.mesh/tcp-max-age says that it shall be cut.
void InboundConnection::limit_life() {
  std::optional<Duration> left;
  if (http_ && record_.peers.mutual_tls && !life_timer_)
    left = jittered(limits::mesh_inbound_age_max, limits::age_jitter_percent, context_.random);
  if (tunnel_ && policy_->policy().tcp_max_age)
    left = started_ + *policy_->policy().tcp_max_age - context_.loop.now();
  if (!left) {
    if (tunnel_) life_timer_.reset();
    return;
  }
  std::string_view reason = "age-limit";
  if (caller_not_after_ && *caller_not_after_ - context_.loop.wall_now() < *left) {
    reason = "certificate-expired";
    left = *caller_not_after_ - context_.loop.wall_now();
  }
  life_timer_ = context_.loop.make_timer(anchor_.guard([this, reason] { end_gracefully(reason); }));
  life_timer_->start(std::max(*left, Duration::zero()));
}

// HTTP finishes what is under way, an upgraded connection too: only its policy, or its root, could cut it.
void InboundConnection::end_gracefully(std::string_view reason) {
  if (over_) return;
  note_end(reason);
  if (http_) return http_->drain();
  if (tunnel_) tunnel_->abort(Error{Code::refused, std::string(reason)});
}

// What it was admitted by holds no more. A tunnel has no next request at which it would be asked again.
void InboundConnection::revoke(std::string_view reason) {
  if (over_) return;
  note_end(reason);
  if (http_) {
    http_->end_tunnels(reason);
    return http_->refuse_new();
  }
  if (tunnel_) return tunnel_->abort(Error{Code::refused, std::string(reason)});
  refuse(reason, "what would have admitted it changed meanwhile");
}

// Where it comes from is asked once, in the beginning.
void InboundConnection::note_use() {}

void InboundConnection::root_removed() {
  root_removed_ = stage_ == Stage::securing;
  if (record_.peers.mutual_tls) revoke("root-removed");
}

void InboundConnection::drain() {
  if (http_) http_->drain();
}

}  // namespace weft::sidecar
