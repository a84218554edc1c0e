#include "sidecar/exchange.h"

#include "base/limits.h"
#include "base/text.h"
#include "policy/fault.h"
#include "sidecar/inbound_gate.h"
#include "sidecar/mirror.h"
#include "sidecar/telemetry.h"
#include "sidecar/try_outcome.h"
#include "sidecar/upstreams.h"

namespace weft::sidecar {
namespace {

bool asks_for_tunnel(const codec::RequestHead& head) {
  return head.method == "CONNECT" || head.headers.has("upgrade");
}

LocalReply overload_of(const ServiceState& service, std::string_view text) {
  return overload_reply(str_cat("Service ", service.config().name, ": ", text));
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
      time_limit_(head_.headers, record_.grpc, admission_.service->config().timeout),
      started_(context.loop.now()),
      request_ended_(end),
      bodyless_(end),
      upgrading_(asks_for_tunnel(head_)),
      budget_(admission_.service->load->budget),
      retry_(admission_.service->config().retry, head_.method, record_.grpc) {
  if (const auto& limit = time_limit_.whole()) {
    timeout_ = context_.loop.make_timer(anchor_.guard([this] { timed_out(); }));
    timeout_->start(*limit);
  }
  begin();
}

Exchange::~Exchange() { drop_upstream(); }

// ---- tries ----

// A fault that is injected on purpose comes before anything that could go wrong by itself. A tunnel is no
// exchange that could be held up or answered for.
void Exchange::begin() {
  policy::FaultDecision fault;
  if (!upgrading_) fault = policy::decide_fault(admission_.service->config().fault, context_.random);
  if (fault.abort_status == 0) shadow_ = context_.shadows->begin(admission_, head_);
  if (shadow_ && request_ended_) context_.shadows->send(std::move(shadow_), bodyless_, {});
  const auto go_on = [this, fault] {
    fault.abort_status > 0 ? inject_fault(fault.abort_status) : choose_route();
  };
  if (fault.delay == policy::Millis(0)) return go_on();
  state_ = State::backing_off;
  record_.injected_delay = fault.delay;
  fault_delay_ = context_.loop.make_timer(anchor_.guard(go_on));
  fault_delay_->start(fault.delay);
}

void Exchange::inject_fault(int status) {
  refuse(LocalReply{status, "fault-injected", "weft.mesh/fault of this Service asks for it", {}});
}

void Exchange::choose_route() {
  take_route(admission_.service->table.choose(&head_, context_.loop.now(), context_.random));
  // HTTP/2 lets a caller go on before it has its tunnel; what is not for an HTTP/1 application waits for it.
  if (upgrading_ && head_.version == codec::Version::http2) downstream_->pause_body();
  begin_try();
}

void Exchange::take_route(const policy::RouteChoice& route) {
  route_ = route;
  record_.peers.subset = route_.subset;
  record_.route_rule = route_.rule >= 0        ? str_cat("routes #", route_.rule + 1)
                       : route_.subset.empty() ? ""
                                               : "canary";
}

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
  if (record_.peers.direction == Direction::outbound)
    record_.peers.destination_workload = endpoint.workload_name;
  UpstreamTarget target{endpoint.address, endpoint.identity};
  if (record_.peers.direction == Direction::outbound && context_.is_own_pod(endpoint.address.ip)) {
    if (const auto refusal = hand_over_request(context_, endpoint.address.port, head_, record_))
      return refuse(*refusal);
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
  const bool preserve_case = endpoint.preserve_case || context_.config->preserve_case();
  const http::HttpProtocol protocol =
      protocol_towards(target, head_, {admission_.application, bodyless_, preserve_case});
  // RFC 9112 § 3.2 lets Host be empty, and HTTP/2 has nothing to make of it.
  if (protocol == http::HttpProtocol::http2 && head_.authority.empty())
    return refuse(LocalReply{400, "bad-request", "Host is empty", {}});
  say_how_it_came(head_, target, protocol);
  bridge_ = bridge_towards(protocol, head_, context_.random);
  acquiring_ = context_.upstreams->acquire(
      target, protocol, anchor_.guard([this](Result<http::Lease> lease) { acquired(std::move(lease)); }),
      http::PoolAccount{admission_.service->load.get(), admission_.service->limits()});
  if (caller_ended_) acquiring_->stop_queueing();
}

void Exchange::acquired(Result<http::Lease> lease) {
  context_.loop.delete_later(std::move(acquiring_));  // it is the one that calls
  if (!lease && lease.error().code == Code::limit) return overloaded(lease.error().message);
  if (!lease) {
    policy::TryOutcome outcome;
    outcome.end = policy::TryEnd::connect_failure;
    outcome.never_delivered = true;
    return try_failed(outcome, "connect-failure", undelivered_reply(lease.error()));
  }
  const std::uint32_t limit = admission_.service->limits().requests;
  if (!place_.take(admission_.service->load->requests, limit))
    return overloaded(str_cat(limit, " requests are under way, the limit"));
  lease_.emplace(*std::move(lease));
  send_request();
}

// Nothing that another endpoint, or another try, could mend.
void Exchange::overloaded(std::string_view text) {
  end_try_record("overload");
  refuse(overload_of(*admission_.service, text));
}

void Exchange::send_request() {
  state_ = State::active;
  const bool end = request_ended_ && replay_.empty() && request_trailers_.empty() && !upgrading_ && bodyless_;
  time_limit_.announce(context_.loop.now() - started_, head_.headers);
  http::ClientConnection& connection = lease_->connection();
  upstream_ = bridge_ ? &connection.request(bridge_->request(head_), end, upstream_side_)
                      : &connection.request(head_, end, upstream_side_);
  if (end) return;
  if (!replay_.empty()) upstream_->send_body(replay_);
  if (replay_.size() > limits::retry_buffer_bytes_max) give_up_replay();
  if (request_ended_) {
    upstream_->send_end(request_trailers_);
  } else if (downstream_ && upstream_->writable()) {
    downstream_->resume_body();
  }
}

// From an inbound sidecar the reason is a promise: the application never saw the request.
LocalReply Exchange::undelivered_reply(const Error& error) const {
  const bool inbound = record_.peers.direction == Direction::inbound;
  return LocalReply{
      503, std::string(inbound ? undelivered_reason : "upstream-connect-failure"), error.message, {}};
}

void Exchange::try_failed(const policy::TryOutcome& outcome, std::string_view outcome_text,
                          const LocalReply& otherwise) {
  drop_upstream();
  if (!try_again(outcome, outcome_text)) refuse(otherwise);
}

bool Exchange::try_again(const policy::TryOutcome& outcome, std::string_view outcome_text) {
  const ServiceState& service = *admission_.service;
  const MonotonicTime now = context_.loop.now();
  report_health(policy::health_of(outcome));
  end_try_record(outcome_text);
  policy::TrySituation situation;
  situation.replayable = replayable_;
  situation.response_started = response_started_ || interim_sent_;
  policy::RouteChoice next = route_;
  if (policy::reached_no_application(outcome))
    next = service.table.elsewhere(route_, &head_, tried_, now, context_.random);
  situation.other_endpoint = service.table.has_untried(next, tried_);
  situation.time_left = time_limit_.left(now - started_);
  const policy::RetryDecision decision = retry_.after(outcome, situation, budget_, context_.random);
  if (!decision.retry) {
    if (decision.why_not != policy::NoRetry::not_a_failure)
      record_.tries.back().not_retried = policy::no_retry_name(decision.why_not);
    return false;
  }
  record_.tries.back().retry_class = policy::retry_class_name(decision.why);
  drop_upstream();
  take_route(next);
  state_ = State::backing_off;
  if (!back_off_) back_off_ = context_.loop.make_timer(anchor_.guard([this] { begin_try(); }));
  back_off_->start(decision.back_off);
  return true;
}

void Exchange::report_health(policy::Health health) {
  if (admission_.service->table.report(*endpoint_->state, health, context_.loop.now()))
    context_.telemetry.endpoint_ejected(record_.peers.endpoint);
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
  place_.give_back();
}

void Exchange::per_try_timed_out() {
  if (state_ == State::finished) return;
  policy::TryOutcome outcome;
  if (acquiring_ && acquiring_->queueing()) {
    outcome.end = policy::TryEnd::refused_stream;  // no fault of the endpoint; another one may have room
    return try_failed(
        outcome, "overload",
        overload_of(*admission_.service, "no connection came free within weft.mesh/per-try-timeout"));
  }
  // Before the connection stands nothing was sent: that is a failure to connect, and safe to try again.
  outcome.end = state_ == State::active ? policy::TryEnd::per_try_timeout : policy::TryEnd::connect_failure;
  outcome.never_delivered = state_ != State::active;
  outcome.caller_slow = caller_is_slow();
  try_failed(outcome, "per-try-timeout",
             LocalReply{504, "upstream-timeout", "no response within weft.mesh/per-try-timeout", {}});
}

bool Exchange::caller_is_slow() const {
  // Who asked for a 100 (RFC 9110 § 10.1.1) waits for the endpoint, until it sends without.
  const bool asked = interim_heads_ == 0 && record_.request_bytes == 0 && head_.headers.has("expect");
  return !request_ended_ && !asked && upstream_ && upstream_->writable();
}

void Exchange::timed_out() {
  if (state_ == State::finished) return;
  // How long a caller cares to wait, or takes to say all, says nothing of the endpoint; the Service's own
  // limit does.
  if (state_ == State::active && !response_started_ && !time_limit_.by_caller() && !caller_is_slow())
    report_health(policy::Health::bad);
  if (state_ != State::backing_off) end_try_record("timeout");
  refuse(time_limit_.exceeded());
}

// ---- the end ----

void Exchange::refuse(const LocalReply& reply) {
  drop_upstream();
  end_try_record(reply.reason);
  state_ = State::finished;
  if (timeout_) timeout_->stop();
  if (back_off_) back_off_->stop();
  if (fault_delay_) fault_delay_->stop();
  if (record_.reason.empty()) record_.reason = reply.reason;
  if (!downstream_) return;
  if (response_started_) return cut_response(reply);
  record_.status = reply.status;
  if (record_.grpc) record_.grpc_status = grpc_status(reply);
  response_started_ = response_ended_ = true;
  if (!request_ended_) downstream_->abandon_request();
  codec::Headers more;
  tell_attempts(more);
  send_local_reply(*downstream_, head_, reply, more);
}

// A response that has begun is ended so that it is not taken for complete: by a status behind it where the
// caller reads one, else by breaking off.
void Exchange::cut_response(const LocalReply& reply) {
  const bool says_status = record_.grpc && head_.version == codec::Version::http2 && !response_ended_;
  if (!says_status) return downstream_->reset(Error{Code::unavailable, reply.text});
  response_ended_ = true;
  if (!request_ended_) downstream_->abandon_request();
  const codec::Headers trailers = grpc_trailers(reply);
  record_.grpc_status = trailers.get("grpc-status").value_or("");
  downstream_->send_end(trailers);
}

void Exchange::revoke(std::string_view reason) {
  record_.reason = reason;
  if (downstream_) downstream_->reset(Error{Code::refused, std::string(reason)});
}

void Exchange::over() {
  drop_upstream();
  shadow_.reset();
  state_ = State::finished;
  anchor_.drop();
  record_.duration = context_.loop.now() - started_;
  context_.telemetry.request_done(record_);
  owner_.exchange_over(*this);
}

}  // namespace weft::sidecar
