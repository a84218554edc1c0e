#include "sidecar/outbound.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "sidecar/inbound_gate.h"
#include "sidecar/telemetry.h"
#include "sidecar/upstreams.h"

namespace weft::sidecar {

OutboundConnection::OutboundConnection(WorkerContext& context, ConnectionOwner& owner,
                                       std::unique_ptr<io::Stream> downstream,
                                       const Address& original_destination)
    : Connection(context, owner, std::move(downstream), original_destination, Direction::outbound),
      router_(context, original_destination),
      gate_(context, router_) {
  if (context_.credentials)
    record_.peers.source_identity = context_.credentials->client->svid()->id.to_string();
  if (context_.config->inbound)
    record_.peers.source_workload = context_.config->inbound->policy().workload_name;
  // Not inline: the owner does not have it yet, and it may be over at once.
  context_.loop.defer(anchor_.guard([this] { route(); }));
}

OutboundConnection::~OutboundConnection() { http_.reset(); }  // gate_ outlives it

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

void OutboundConnection::config_changed() {
  if (!routed_) return route();
  if (over_ || service_) return;
  Destination now = router_.resolve();
  if (now.kind == Destination::Kind::unknown) now = router_.without_answer();
  // Who was refused in HTTP may ask again on another connection, which is let through.
  if (http_ && now.kind == Destination::Kind::passthrough) return http_->drain();
  if (http_ || now.kind != Destination::Kind::refused) return;
  if (tunnel_) {
    note_end("policy-changed");
    tunnel_->abort(Error{Code::refused, "policy-changed"});
  } else if (opening_) {
    refuse(now.reason, "the policy changed meanwhile");
  }
}

// Of addresses that nobody knows there is no end.
void OutboundConnection::note_use() {
  if (context_.config->owner(router_.address())) context_.used_addresses.insert(router_.address());
}

void OutboundConnection::route_to(const Destination& destination) {
  routed_ = true;
  config_timer_.reset();
  note_use();
  if (destination.kind == Destination::Kind::refused) {
    // Who speaks HTTP is told so in HTTP.
    refused_ = destination.reason;
    return preread(limits::detect_silence);
  }
  service_ = destination.service;
  if (!service_) return open_upstream();
  record_.peers.service = service_->config().name;
  switch (destination.protocol) {
    case policy::Protocol::http1:
    case policy::Protocol::http2:
    case policy::Protocol::grpc:
      declared_http_ = true;
      return preread(limits::header_read_timeout);
    case policy::Protocol::detect:
      return preread(silence());
    case policy::Protocol::tcp:
    case policy::Protocol::tls:
      return open_upstream();
  }
}

void OutboundConnection::preread(Duration patience) {
  preread_ = std::make_unique<Preread>(
      context_.loop, std::move(downstream_), std::string(), patience,
      anchor_.guard([this](Preread::Result read) { preread_done(std::move(read)); }));
}

void OutboundConnection::preread_done(Preread::Result read) {
  context_.loop.delete_later(std::move(preread_));
  if (read.outcome == Preread::Outcome::failed) return over("downstream-closed");
  if (read.outcome == Preread::Outcome::ended && read.bytes.empty()) return over("");
  const auto kind = read.detection.kind;
  const bool http = kind == codec::Detection::Kind::http1 || kind == codec::Detection::Kind::http2;
  if (!refused_.empty() && !http) {
    take(std::move(read));
    return refuse(refused_, "this destination is not known to the mesh");
  }
  if (read.outcome == Preread::Outcome::silent) {
    return declared_http_ ? await_http(std::move(read)) : await_first_word(std::move(read));
  }
  client_spoke(std::move(read));
}

void OutboundConnection::serve_http() { Connection::serve_http(gate_); }

// ---- opaque TCP ----

void OutboundConnection::open_upstream() {
  opening_ = true;
  if (service_) {
    const std::uint32_t limit = service_->limits().connections;
    if (!place_.take(service_->load->connections, limit))
      return refuse("overload", str_cat("Service ", service_->config().name, ": ", limit,
                                        " connections are open, the limit"));
    route_ = service_->table.choose(nullptr, context_.loop.now(), context_.random);
  }
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
    record_.peers.destination_workload = endpoint_->endpoint->workload_name;
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
      target,
      anchor_.guard([this](Result<std::unique_ptr<io::Stream>> stream) { connect_done(std::move(stream)); }));
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

void OutboundConnection::connect_done(Result<std::unique_ptr<io::Stream>> upstream) {
  context_.loop.delete_later(std::move(connecting_));
  if (!opening_) return;
  const MonotonicTime now = context_.loop.now();
  const policy::Health health = upstream ? policy::Health::good : policy::Health::unreachable;
  if (endpoint_ && service_->table.report(*endpoint_->state, health, now)) {
    context_.telemetry.endpoint_ejected(record_.peers.endpoint);
  }
  record_.tries.back().outcome = upstream ? "connected" : "connect-failure";
  record_.tries.back().duration = now - try_started_;
  if (!upstream) {
    // Nothing was sent: another endpoint is a safe choice.
    if (service_) route_ = service_->table.elsewhere(route_, nullptr, tried_, now, context_.random);
    if (service_ && tried_.size() <= limits::safe_retries_max &&
        service_->table.has_untried(route_, tried_)) {
      record_.tries.back().retry_class = policy::retry_class_name(policy::RetryClass::proved);
      return connect_endpoint();
    }
    return refuse("upstream-connect-failure", upstream.error().message);
  }
  upstream_connected(*std::move(upstream));
}

void OutboundConnection::drop_upstream() {
  Connection::drop_upstream();
  active_ = policy::ActiveRequest();
  place_.give_back();
}

// ---- the end ----

void OutboundConnection::root_removed() {
  if (http_) return http_->end_meshed_tunnels("root-removed");
  if (!opening_ || !record_.peers.mutual_tls) return;
  if (!tunnel_) return refuse("root-removed", "the roots of trust changed meanwhile");
  note_end("root-removed");
  tunnel_->abort(Error{Code::refused, "root-removed"});
}

// Outbound keeps working until the application is gone.
void OutboundConnection::drain() {}

}  // namespace weft::sidecar
