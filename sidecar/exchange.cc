#include "sidecar/exchange.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "sidecar/inbound_gate.h"
#include "sidecar/telemetry.h"
#include "sidecar/upstreams.h"

namespace weft::sidecar {
namespace {

constexpr int status_switching_protocols = 101;

bool asks_for_tunnel(const codec::RequestHead& head) {
  return head.method == "CONNECT" || head.headers.has("upgrade");
}

// From an inbound sidecar the reason is a promise: the application never saw the request.
LocalReply undelivered_reply(Direction direction, const Error& error) {
  const bool inbound = direction == Direction::inbound;
  return LocalReply{
      503, std::string(inbound ? undelivered_reason : "upstream-connect-failure"), error.message, {}};
}

}  // namespace

Exchange::Exchange(WorkerContext& context, ExchangeOwner& owner, http::ServerExchange& downstream,
                   codec::RequestHead head, bool end, Admission admission, RequestRecord record)
    : context_(context),
      owner_(owner),
      downstream_(&downstream),
      head_(std::move(head)),
      admission_(std::move(admission)),
      record_(std::move(record)),
      started_(context.loop.now()),
      request_ended_(end),
      bodyless_(end),
      upgrading_(asks_for_tunnel(head_)),
      budget_(*admission_.service->budget),
      retry_(admission_.service->config().retry, head_.method, record_.grpc) {
  const auto timeout = admission_.service->config().timeout;
  if (timeout) {
    timeout_ = context_.loop.make_timer(anchor_.guard([this] { timed_out(); }));
    timeout_->start(*timeout);
  }
  route_ = admission_.service->table.choose(&head_, context_.loop.now(), context_.random);
  record_.peers.subset = route_.subset;
  if (route_.rule >= 0)
    record_.route_rule = str_cat("routes #", route_.rule + 1);
  else if (!route_.subset.empty())
    record_.route_rule = "canary";
  begin_try();
}

Exchange::~Exchange() { drop_upstream(); }

// ---- tries ----

void Exchange::begin_try() {
  state_ = State::connecting;
  try_started_ = context_.loop.now();
  endpoint_ = admission_.service->table.pick(route_, tried_, try_started_, context_.random);
  if (!endpoint_) {
    return refuse(LocalReply{503,
                             "no-healthy-upstream",
                             str_cat("Service ", admission_.service->config().name, " has no ready endpoint"),
                             {}});
  }
  tried_.add(*endpoint_->state);
  active_ = policy::ActiveRequest(*endpoint_->state);
  const policy::Endpoint& endpoint = *endpoint_->endpoint;
  record_.tries.push_back(TryRecord{endpoint.address.to_string(), {}, {}, {}});
  record_.peers.endpoint = record_.tries.back().endpoint;
  UpstreamTarget target{endpoint.address, endpoint.identity};
  if (record_.peers.direction == Direction::outbound && context_.is_own_pod(endpoint.address.ip)) {
    if (!hand_over_to_own_pod()) return;
    target.identity.clear();
  }
  upstream_meshed_ = !target.identity.empty();
  record_.peers.mutual_tls = record_.peers.mutual_tls || upstream_meshed_;
  if (upstream_meshed_) record_.peers.destination_identity = endpoint.identity;
  if (const auto limit = admission_.service->config().retry.per_try_timeout) {
    if (!per_try_timeout_) {
      per_try_timeout_ = context_.loop.make_timer(anchor_.guard([this] { per_try_timed_out(); }));
    }
    per_try_timeout_->start(*limit);
  }
  acquiring_ = context_.upstreams->acquire(
      target, upstream_protocol(),
      anchor_.guard([this](Result<http::Lease> lease) { acquired(std::move(lease)); }));
}

// Between sidecars as it came: the receiver knows what its application speaks. There the declared protocol
// decides, and without one the caller's. A gRPC server speaks HTTP/2 whatever its port is called; Upgrade is
// a matter of HTTP/1 (RFC 9113 § 8.6).
http::HttpProtocol Exchange::upstream_protocol() const {
  using http::HttpProtocol;
  if (head_.headers.has("upgrade")) return HttpProtocol::http1;
  const policy::Protocol spoken = admission_.application;
  if (upstream_meshed_ || record_.grpc || !policy::is_http(spoken))
    return head_.version == codec::Version::http2 ? HttpProtocol::http2 : HttpProtocol::http1;
  return spoken == policy::Protocol::http1 ? HttpProtocol::http1 : HttpProtocol::http2;
}

// The own pod is not called over the wire: its inbound policy is asked here, with the own identity.
bool Exchange::hand_over_to_own_pod() {
  const auto& inbound = context_.config->inbound;
  if (!inbound) {
    refuse(LocalReply{503, "no-config", "the pod's own inbound policy is not known yet", {}});
    return false;
  }
  const Caller caller = own_identity(context_);
  const auto refusal = authorise_request(*inbound, endpoint_->endpoint->address.port, caller, head_, record_);
  if (refusal)
    refuse(*refusal);
  else
    announce_caller(inbound->policy(), caller, head_);
  return !refusal;
}

void Exchange::acquired(Result<http::Lease> lease) {
  context_.loop.delete_later(std::move(acquiring_));  // it is the one that calls
  if (!lease) {
    policy::TryOutcome outcome;
    outcome.end = policy::TryEnd::connect_failure;
    outcome.never_delivered = true;
    return try_failed(outcome, "connect-failure", undelivered_reply(record_.peers.direction, lease.error()));
  }
  lease_.emplace(*std::move(lease));
  send_request();
}

void Exchange::send_request() {
  state_ = State::active;
  const bool end = request_ended_ && replay_.empty() && request_trailers_.empty() && !upgrading_ && bodyless_;
  upstream_ = &lease_->connection().request(head_, end, upstream_side_);
  if (end) return;
  if (!replay_.empty()) upstream_->send_body(replay_);
  if (replay_.size() > limits::retry_buffer_bytes_max) {
    replayable_ = false;
    std::string().swap(replay_);
  }
  if (request_ended_) {
    upstream_->send_end(request_trailers_);
  } else if (downstream_ && upstream_->writable()) {
    downstream_->resume_body();
  }
}

void Exchange::try_failed(const policy::TryOutcome& outcome, std::string_view outcome_text,
                          const LocalReply& otherwise) {
  drop_upstream();
  if (!try_again(outcome, outcome_text)) refuse(otherwise);
}

bool Exchange::try_again(const policy::TryOutcome& outcome, std::string_view outcome_text) {
  const ServiceState& service = *admission_.service;
  const bool success = outcome.end == policy::TryEnd::response && !policy::status_is_failure(outcome.status);
  const MonotonicTime now = context_.loop.now();
  if (service.table.report(*endpoint_->state, success, now)) {
    context_.telemetry.endpoint_ejected(record_.peers.endpoint);
  }
  end_try_record(outcome_text);
  policy::TrySituation situation;
  situation.replayable = replayable_;
  situation.response_started = response_started_;
  situation.other_endpoint = service.table.has_untried(route_, tried_);
  if (service.config().timeout) situation.time_left = *service.config().timeout - (now - started_);
  const policy::RetryDecision decision = retry_.after(outcome, situation, budget_, context_.random);
  if (!decision.retry) return false;
  record_.tries.back().retry_class = policy::retry_class_name(decision.why);
  drop_upstream();
  state_ = State::backing_off;
  if (!back_off_) back_off_ = context_.loop.make_timer(anchor_.guard([this] { begin_try(); }));
  back_off_->start(decision.back_off);
  return true;
}

void Exchange::end_try_record(std::string_view outcome) {
  if (record_.tries.empty() || !record_.tries.back().outcome.empty()) return;
  record_.tries.back().outcome = outcome;
  record_.tries.back().duration = context_.loop.now() - try_started_;
}

void Exchange::drop_upstream() {
  if (per_try_timeout_) per_try_timeout_->stop();
  acquiring_.reset();
  if (upstream_) std::exchange(upstream_, nullptr)->cancel();
  lease_.reset();
  active_ = policy::ActiveRequest();
}

void Exchange::per_try_timed_out() {
  if (state_ == State::finished) return;
  policy::TryOutcome outcome;
  // Before the connection stands nothing was sent: that is a failure to connect, and safe to try again.
  outcome.end = state_ == State::active ? policy::TryEnd::per_try_timeout : policy::TryEnd::connect_failure;
  outcome.never_delivered = state_ != State::active;
  try_failed(outcome, "per-try-timeout",
             LocalReply{504, "upstream-timeout", "no response within weft.mesh/per-try-timeout", {}});
}

void Exchange::timed_out() {
  if (state_ == State::finished) return;
  if (state_ != State::backing_off) end_try_record("timeout");
  refuse(LocalReply{504,
                    "upstream-timeout",
                    str_cat("the exchange did not end within weft.mesh/timeout of ",
                            admission_.service->config().timeout->count(), " ms"),
                    {}});
}

// ---- the downstream's side ----

void Exchange::request_body(std::string_view bytes) {
  record_.request_bytes += bytes.size();
  if (state_ == State::finished) return;
  const bool fits = replay_.size() + bytes.size() <= limits::retry_buffer_bytes_max;
  if (state_ == State::active) {
    if (replayable_ && fits && !response_started_) {
      replay_.append(bytes);
    } else if (replayable_) {
      replayable_ = false;
      std::string().swap(replay_);
    }
    if (upstream_) upstream_->send_body(bytes);
    if (upstream_ && !upstream_->writable() && downstream_) downstream_->pause_body();
    return;
  }
  // No upstream yet: hold it, at most one read beyond the limit.
  replay_.append(bytes);
  if (replay_.size() >= limits::retry_buffer_bytes_max && downstream_) downstream_->pause_body();
}

void Exchange::request_end(const codec::Headers& trailers) {
  request_ended_ = true;
  request_trailers_ = trailers;
  // What may not be said in the head may not be said behind the body either.
  request_trailers_.remove("x-forwarded-client-cert");
  request_trailers_.remove_prefix("x-weft-");
  if (state_ == State::active && upstream_) upstream_->send_end(request_trailers_);
}

void Exchange::response_drained() {
  if (upstream_) upstream_->resume_body();
}

void Exchange::exchange_finished() {
  downstream_ = nullptr;
  if (timeout_) timeout_->stop();
  // The upstream's own end comes later in this turn; to cancel it now would cost its connection.
  if (upstream_ && response_ended_ && request_ended_) return;
  over();
}

void Exchange::exchange_aborted(const Error& error) {
  downstream_ = nullptr;
  if (record_.reason.empty()) {
    record_.reason = response_ended_ ? "downstream-closed-early" : "downstream-closed";
  }
  end_try_record(str_cat("cancelled: ", error.message));
  over();
}

// ---- the upstream's side ----

void Exchange::response_head(codec::ResponseHead&& head, bool end) {
  if (head.status < 200 && head.status != status_switching_protocols) {
    clean_response(head.headers);
    if (downstream_ && head_.version != codec::Version::http10) downstream_->send_head(head, false);
    return;
  }
  if (per_try_timeout_) per_try_timeout_->stop();
  policy::TryOutcome outcome;
  outcome.status = static_cast<std::uint16_t>(head.status);
  if (const auto status = head.headers.get("grpc-status"); status && end) {
    outcome.grpc_status = parse_number<std::uint32_t>(*status);
  }
  const std::string peer_error(upstream_meshed_ ? head.headers.get("x-weft-error").value_or("") : "");
  // The peer's sidecar says that its application was never reached.
  if (peer_error == undelivered_reason) {
    outcome.end = policy::TryEnd::connect_failure;
    outcome.never_delivered = true;
  }
  if (try_again(outcome, std::to_string(head.status))) return;
  if (!peer_error.empty()) record_.reason = peer_error;
  deliver_head(std::move(head), end);
}

void Exchange::deliver_head(codec::ResponseHead&& head, bool end) {
  response_started_ = true;
  replayable_ = false;
  std::string().swap(replay_);
  record_.status = head.status;
  record_.time_to_head = context_.loop.now() - started_;
  if (const auto status = head.headers.get("grpc-status")) record_.grpc_status = *status;
  clean_response(head.headers);
  tunnel_ = head.status == status_switching_protocols || (head_.method == "CONNECT" && head.status < 300);
  // A time-out is for an exchange, not for the life of a tunnel that came of it.
  if (timeout_ && tunnel_) timeout_->stop();
  response_ended_ = end;
  if (!downstream_) return;
  if (context_.draining_inbound && record_.peers.direction == Direction::inbound) downstream_->close_after();
  downstream_->send_head(head, end);
}

// What only sidecars may say, nobody else does: x-weft-* of an application or of a peer without identity
// goes.
void Exchange::clean_response(codec::Headers& headers) const {
  if (!upstream_meshed_) headers.remove_prefix("x-weft-");
}

void Exchange::response_body(std::string_view bytes) {
  record_.response_bytes += bytes.size();
  if (!downstream_) return;
  downstream_->send_body(bytes);
  if (upstream_ && !downstream_->writable()) upstream_->pause_body();
}

void Exchange::response_end(const codec::Headers& trailers) {
  response_ended_ = true;
  if (const auto status = trailers.get("grpc-status")) record_.grpc_status = *status;
  if (!downstream_) return;
  codec::Headers clean = trailers;
  clean_response(clean);
  downstream_->send_end(clean);
}

void Exchange::request_drained() {
  if (downstream_) downstream_->resume_body();
}

void Exchange::upstream_finished() {
  upstream_ = nullptr;
  // Nobody takes the rest of the request any more.
  if (downstream_ && !request_ended_) {
    downstream_->resume_body();
    downstream_->abandon_request();
  }
  lease_.reset();
  active_ = policy::ActiveRequest();
  if (!downstream_) over();
}

void Exchange::upstream_aborted(const Error& error, http::Delivery delivery) {
  upstream_ = nullptr;
  // A tunnel that breaks in one direction is broken.
  if (tunnel_ && downstream_) return downstream_->reset(error);
  // With the whole response delivered, only the rest of the request found no taker.
  if (response_ended_) return upstream_finished();
  policy::TryOutcome outcome;
  outcome.end = policy::TryEnd::reset;
  outcome.never_delivered = delivery == http::Delivery::never;
  if (outcome.never_delivered)
    return try_failed(outcome, "not-sent", undelivered_reply(record_.peers.direction, error));
  try_failed(outcome, "reset", LocalReply{503, "upstream-reset", error.message, {}});
}

// ---- the end ----

void Exchange::refuse(const LocalReply& reply) {
  drop_upstream();
  state_ = State::finished;
  if (timeout_) timeout_->stop();
  if (back_off_) back_off_->stop();
  if (record_.reason.empty()) record_.reason = reply.reason;
  if (!downstream_) return;
  // A response that has begun can only be cut, so that it is not taken for complete.
  if (response_started_) return downstream_->reset(Error{Code::unavailable, reply.text});
  record_.status = reply.status;
  response_started_ = response_ended_ = true;
  if (!request_ended_) downstream_->abandon_request();
  send_local_reply(*downstream_, head_, reply);
}

void Exchange::over() {
  drop_upstream();
  state_ = State::finished;
  anchor_.drop();
  record_.duration = context_.loop.now() - started_;
  context_.telemetry.request_done(record_);
  owner_.exchange_over(*this);
}

}  // namespace weft::sidecar
