#include "sidecar/outbound.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "sidecar/inbound_gate.h"
#include "sidecar/telemetry.h"
#include "sidecar/upstreams.h"

namespace weft::sidecar {
namespace {

constexpr std::size_t server_first_max = 1024;

}  // namespace

OutboundConnection::OutboundConnection(WorkerContext& context, ConnectionOwner& owner,
                                       std::unique_ptr<io::Stream> downstream,
                                       const Address& original_destination)
    : context_(context),
      owner_(owner),
      downstream_(std::move(downstream)),
      router_(context, original_destination),
      gate_(context, router_),
      started_(context.loop.now()) {
  record_.started = context_.loop.wall_now();
  record_.peers.direction = Direction::outbound;
  record_.peers.source_address = downstream_->peer_address().to_string();
  record_.peers.destination_address = original_destination.to_string();
  if (context_.credentials)
    record_.peers.source_identity = context_.credentials->client->svid()->id.to_string();
  context_.telemetry.connection_opened(Direction::outbound);
  // Not inline: the owner does not have it yet, and it may be over at once.
  context_.loop.defer(anchor_.guard([this] { route(); }));
}

OutboundConnection::~OutboundConnection() = default;

// ---- where to ----

void OutboundConnection::route() {
  // A configuration may have arrived, and routed this, between the accept and the end of its turn.
  if (routed_ || over_) return;
  const Destination& destination = router_.resolve();
  if (destination.kind != Destination::Kind::unknown) return route_to(destination);
  if (config_timer_) return;
  context_.ask_owner(router_.address());
  config_timer_ = context_.loop.make_timer(anchor_.guard([this] { route_to(router_.without_answer()); }));
  config_timer_->start(limits::config_wait);
}

void OutboundConnection::config_changed() { route(); }

void OutboundConnection::route_to(const Destination& destination) {
  routed_ = true;
  config_timer_.reset();
  if (destination.kind == Destination::Kind::refused) {
    return refuse(destination.reason, "this destination is not known to the mesh");
  }
  service_ = destination.service;
  if (!service_) return open_upstream();
  record_.peers.service = service_->config().name;
  switch (destination.protocol) {
    case policy::Protocol::http1:
      return serve_http();
    case policy::Protocol::detect:
      return preread();
    case policy::Protocol::http2:
    case policy::Protocol::grpc:
    case policy::Protocol::tcp:
    case policy::Protocol::tls:
      return open_upstream();
  }
}

Duration OutboundConnection::patience() const {
  if (client_silent_) return limits::tcp_idle_timeout;
  return context_.server_first.contains(router_.address()) ? Duration::zero()
                                                           : Duration(limits::detect_silence);
}

void OutboundConnection::preread() {
  preread_ = std::make_unique<Preread>(
      context_.loop, std::move(downstream_), std::move(start_.from_downstream), patience(),
      anchor_.guard([this](Preread::Result read) { preread_done(std::move(read)); }));
}

void OutboundConnection::preread_done(Preread::Result read) {
  context_.loop.delete_later(std::move(preread_));
  downstream_ = std::move(read.stream);
  start_.from_downstream = std::move(read.bytes);
  if (read.outcome == Preread::Outcome::failed) {
    drop_upstream();
    return over("downstream-closed");
  }
  start_.downstream_ended = read.outcome == Preread::Outcome::ended;
  if (start_.downstream_ended && start_.from_downstream.empty() && !client_silent_) return over("");
  const bool http =
      read.outcome == Preread::Outcome::detected && read.detection.kind == codec::Detection::Kind::http1;
  if (http) {
    // The upstream that was opened during the silence has not been touched: it is dropped, and HTTP it is.
    drop_upstream();
    return serve_http();
  }
  const bool was_silent = std::exchange(client_silent_, read.outcome == Preread::Outcome::silent);
  if (was_silent && client_silent_) return refuse("idle-timeout", "neither side has said anything");
  if (client_silent_) {
    // Whoever speaks first decides: the client is read on while the upstream is opened.
    preread();
  }
  if (!was_silent) return open_upstream();
  if (upstream_) join();
}

void OutboundConnection::serve_http() {
  PeersRecord peers = record_.peers;
  downstream_->resume();
  http_ = std::make_unique<HttpDownstream>(context_, gate_, std::move(downstream_),
                                           std::move(start_.from_downstream), std::move(peers),
                                           anchor_.guard([this] { over(""); }));
}

// ---- opaque TCP ----

void OutboundConnection::open_upstream() {
  if (service_) route_ = service_->table.choose(nullptr, context_.loop.now(), context_.random);
  connect_endpoint();
}

void OutboundConnection::connect_endpoint() {
  UpstreamTarget target{router_.address(), {}};
  try_started_ = context_.loop.now();
  if (service_) {
    endpoint_ = service_->table.pick(route_, tried_, try_started_, context_.random);
    if (!endpoint_) {
      return refuse("no-healthy-upstream",
                    str_cat("Service ", service_->config().name, " has no ready endpoint"));
    }
    tried_.add(*endpoint_->state);
    active_ = policy::ActiveRequest(*endpoint_->state);
    target = UpstreamTarget{endpoint_->endpoint->address, endpoint_->endpoint->identity};
    record_.peers.subset = route_.subset;
  }
  if (context_.is_own_pod(target.address.ip)) {
    if (!hand_over_to_own_pod(target.address.port)) return;
    target.identity.clear();
  }
  record_.peers.endpoint = target.address.to_string();
  record_.peers.destination_identity = target.identity;
  record_.peers.mutual_tls = !target.identity.empty();
  record_.tries.push_back(TryRecord{record_.peers.endpoint, {}, {}, {}});
  connecting_ = context_.upstreams->connect_tunnel(
      target, anchor_.guard([this](Result<std::unique_ptr<io::Stream>> stream) {
        upstream_connected(std::move(stream));
      }));
}

bool OutboundConnection::hand_over_to_own_pod(std::uint16_t port) {
  const auto& inbound = context_.config->inbound;
  const Caller caller = own_identity(context_);
  const auto decision =
      inbound ? inbound->port(port).rules.decide(caller.identity ? &*caller.identity : nullptr, nullptr)
              : policy::RbacDecision();
  if (!decision.allowed) refuse("rbac-denied", decision.to_string());
  return decision.allowed;
}

void OutboundConnection::upstream_connected(Result<std::unique_ptr<io::Stream>> upstream) {
  context_.loop.delete_later(std::move(connecting_));
  const MonotonicTime now = context_.loop.now();
  if (endpoint_ && service_->table.report(*endpoint_->state, upstream.has_value(), now)) {
    context_.telemetry.endpoint_ejected(record_.peers.endpoint);
  }
  record_.tries.back().outcome = upstream ? "connected" : "connect-failure";
  record_.tries.back().duration = now - try_started_;
  if (!upstream) {
    // Nothing was sent: another endpoint is a safe choice.
    if (service_ && tried_.size() <= limits::safe_retries_max &&
        service_->table.has_untried(route_, tried_)) {
      record_.tries.back().retry_class = policy::retry_class_name(policy::RetryClass::proved);
      return connect_endpoint();
    }
    return refuse("upstream-connect-failure", upstream.error().message);
  }
  upstream_ = *std::move(upstream);
  if (!client_silent_) return join();
  upstream_->start(*this);
}

void OutboundConnection::stream_data(std::string_view bytes) {
  // The server spoke first.
  if (context_.server_first.size() < server_first_max) context_.server_first.insert(router_.address());
  start_.from_upstream.append(bytes);
  upstream_->pause();
  Preread::Result read = preread_->take();
  context_.loop.delete_later(std::move(preread_));
  downstream_ = std::move(read.stream);
  start_.from_downstream = std::move(read.bytes);
  client_silent_ = false;
  context_.loop.defer(anchor_.guard([this] { join(); }));
}

void OutboundConnection::stream_end() {
  start_.upstream_ended = true;
  stream_data({});
}

void OutboundConnection::stream_failed(const Error& error) { refuse("upstream-reset", error.message); }

void OutboundConnection::join() {
  context_.telemetry.connection_joined(record_.peers);
  tunnel_ = std::make_unique<Tunnel>(
      context_.loop, std::move(downstream_), std::move(upstream_), start_, limits::tcp_idle_timeout,
      anchor_.guard([this](const TunnelResult& result) { over(note_result(result, record_)); }));
  start_ = TunnelStart();
}

// ---- the end ----

void OutboundConnection::root_removed() {
  if (tunnel_ && record_.peers.mutual_tls) tunnel_->abort(Error{Code::refused, "root-removed"});
}

void OutboundConnection::drop_upstream() {
  connecting_.reset();
  if (upstream_) context_.loop.delete_later(std::move(upstream_));
  active_ = policy::ActiveRequest();
}

// Outbound keeps working until the application is gone.
void OutboundConnection::drain() {}

void OutboundConnection::refuse(std::string_view reason, std::string_view text) {
  log::info("outbound connection refused", {{"destination", record_.peers.destination_address},
                                            {"reason", std::string(reason)},
                                            {"why", std::string(text)}});
  context_.telemetry.connection_refused(Direction::outbound, reason);
  // A reset, so that the application does not take it for a clean, empty answer.
  if (preread_) downstream_ = preread_->take().stream;
  if (downstream_) downstream_->reset();
  over(reason);
}

void OutboundConnection::over(std::string_view reason) {
  if (over_) return;
  over_ = true;
  record_.reason = reason;
  record_.duration = context_.loop.now() - started_;
  if (!http_) context_.telemetry.connection_done(record_, tunnel_ != nullptr);
  anchor_.drop();
  owner_.connection_over(*this);
}

}  // namespace weft::sidecar
