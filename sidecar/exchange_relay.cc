// What passes through an exchange while a try is under way: the request's body up, the response down, each
// side at the other's pace.
#include "base/limits.h"
#include "base/text.h"
#include "sidecar/exchange.h"
#include "sidecar/forwarded_headers.h"
#include "sidecar/mirror.h"
#include "sidecar/try_outcome.h"

namespace weft::sidecar {
namespace {

constexpr int status_switching_protocols = 101;

}  // namespace

// ---- the downstream's side ----

void Exchange::request_body(std::string_view bytes) {
  record_.request_bytes += bytes.size();
  if (shadow_ && !shadow_->add(bytes)) shadow_.reset();
  if (state_ == State::finished) return;
  const bool fits = replay_.size() + bytes.size() <= limits::retry_buffer_bytes_max;
  if (state_ == State::active) {
    if (replayable_ && fits)
      replay_.append(bytes);
    else if (replayable_)
      give_up_replay();
    if (upstream_) upstream_->send_body(bytes);
    if (upstream_ && !upstream_->writable() && downstream_) downstream_->pause_body();
    return;
  }
  // No upstream yet: hold it, at most one read beyond the limit.
  replay_.append(bytes);
  if (replay_.size() >= limits::retry_buffer_bytes_max && downstream_) downstream_->pause_body();
}

// Nothing will be sent again: what is held of the request goes.
void Exchange::give_up_replay() {
  replayable_ = false;
  std::string().swap(replay_);
}

void Exchange::request_end(const codec::Headers& trailers) {
  request_ended_ = true;
  request_trailers_ = trailers;
  // What may not be said in the head may not be said behind the body either.
  remove_claims(request_trailers_);
  if (shadow_) context_.shadows->send(std::move(shadow_), bodyless_, request_trailers_);
  if (state_ == State::active && upstream_) upstream_->send_end(request_trailers_);
}

void Exchange::response_drained() {
  if (upstream_) upstream_->resume_body();
}

// One that may be gone takes no place in the row from those who are there; who only closed its half is told
// so.
void Exchange::caller_ended() {
  caller_ended_ = true;
  if (acquiring_) acquiring_->stop_queueing();
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
    return relay_interim(std::move(head));
  }
  if (per_try_timeout_) per_try_timeout_->stop();
  if (bridge_) {
    if (const auto instead = bridge_->answer(head)) return refuse(*instead);
  }
  const std::string peer_error(upstream_meshed_ ? head.headers.get("x-weft-error").value_or("") : "");
  if (try_again(outcome_of(head, end, peer_error), std::to_string(head.status))) return;
  if (!peer_error.empty()) record_.reason = peer_error;
  deliver_head(std::move(head), end);
}

// What was said of an answer, its own try has to finish: no other one may begin behind it.
void Exchange::relay_interim(codec::ResponseHead&& head) {
  if (++interim_heads_ > limits::interim_heads_max) {
    const std::string text = str_cat("more than ", limits::interim_heads_max, " interim (1xx) heads");
    return refuse(LocalReply{502, "bad-response", text, {}});
  }
  if (!downstream_ || head_.version == codec::Version::http10) return;
  interim_sent_ = true;
  give_up_replay();
  clean_response(head.headers);
  downstream_->send_head(head, false);
  if (upstream_ && !downstream_->writable()) upstream_->pause_body();
}

void Exchange::deliver_head(codec::ResponseHead&& head, bool end) {
  response_started_ = true;
  give_up_replay();
  record_.status = head.status;
  record_.time_to_head = context_.loop.now() - started_;
  if (const auto status = head.headers.get("grpc-status")) record_.grpc_status = *status;
  clean_response(head.headers);
  tell_attempts(head.headers);
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
  headers.remove(closed_idle_header);
}

void Exchange::tell_attempts(codec::Headers& headers) const {
  if (admission_.tells_attempts) headers.set(attempts_header, std::to_string(record_.tries.size()));
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
  place_.give_back();
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
  outcome.left_behind = lease_ && lease_->connection().told_to_go();
  // An extended CONNECT that is not offered (codec/http2.h): another endpoint would not take it either, and
  // this one is as well as before.
  if (error.code == Code::not_found) return refuse(LocalReply{501, "upgrade-refused", error.message, {}});
  if (outcome.never_delivered) return try_failed(outcome, "not-sent", undelivered_reply(error));
  outcome.raced = delivery == http::Delivery::raced;
  if (error.code == Code::invalid)
    return try_failed(outcome, "bad-response", LocalReply{502, "bad-response", error.message, {}});
  LocalReply reply{503, "upstream-reset", error.message, {}};
  reply.closed_idle = outcome.raced && record_.peers.direction == Direction::inbound;
  try_failed(outcome, "reset", reply);
}

}  // namespace weft::sidecar
