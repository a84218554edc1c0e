#include "sidecar/mirror.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "policy/mirror.h"
#include "sidecar/inbound_gate.h"
#include "sidecar/telemetry.h"
#include "sidecar/upstreams.h"

namespace weft::sidecar {

Shadow::Shadow(Shadows& owner, const Admission& admission, const codec::RequestHead& head)
    : owner_(owner),
      service_(admission.service),
      application_(admission.application),
      head_(policy::shadow_head(head)) {
  ++owner_.count_;
}

Shadow::~Shadow() { let_go(); }

void Shadow::let_go() {
  if (timeout_) timeout_->stop();
  acquiring_.reset();
  if (upstream_) std::exchange(upstream_, nullptr)->cancel();
  lease_.reset();
  if (std::exchange(counted_, false)) --owner_.count_;
}

bool Shadow::add(std::string_view body) {
  const bool fits = body_.size() + body.size() <= limits::retry_buffer_bytes_max;
  if (fits)
    body_.append(body);
  else
    owner_.report("too-large");
  return fits;
}

void Shadow::send(bool bodyless, const codec::Headers& trailers) {
  WorkerContext& context = owner_.context_;
  bodyless_ = bodyless;
  trailers_ = trailers;
  policy::RouteChoice to = service_->table.mirror();
  to.caller = context.random.next();  // copies spread, also where requests stay by their caller
  const auto chosen = service_->table.pick(to, {}, context.loop.now(), context.random);
  if (!chosen) return over("no-endpoint");
  UpstreamTarget target{chosen->endpoint->address, chosen->endpoint->identity};
  if (context.is_own_pod(target.address.ip)) {
    RequestRecord unseen;
    if (hand_over_request(context, target.address.port, head_, unseen)) return over("failed");
    target.identity.clear();
  }
  const Duration longest = service_->config().timeout.value_or(policy::Millis(limits::shadow_timeout));
  timeout_ = context.loop.make_timer(anchor_.guard([this] { over(answered_ ? "answered" : "timeout"); }));
  timeout_->start(std::min<Duration>(longest, limits::shadow_timeout));
  const bool preserve_case = chosen->endpoint->preserve_case || context.config->preserve_case();
  const http::HttpProtocol protocol =
      protocol_towards(target, head_, {application_, bodyless_, preserve_case});
  say_how_it_came(head_, target, protocol);
  acquiring_ = context.upstreams->acquire(
      target, protocol, anchor_.guard([this](Result<http::Lease> lease) { acquired(std::move(lease)); }));
}

void Shadow::acquired(Result<http::Lease> lease) {
  owner_.context_.loop.delete_later(std::move(acquiring_));  // it is the one that calls
  if (!lease) return over("failed");
  lease_.emplace(*std::move(lease));
  upstream_ = &lease_->connection().request(head_, bodyless_, *this);
  if (bodyless_) return;
  upstream_->send_body(body_);
  upstream_->send_end(trailers_);
}

void Shadow::response_head(codec::ResponseHead&& head, bool) {
  constexpr int first_final_status = 200;
  answered_ = answered_ || head.status >= first_final_status;
}

void Shadow::exchange_finished() {
  upstream_ = nullptr;
  over("answered");
}

void Shadow::exchange_aborted(const Error&, http::Delivery) {
  upstream_ = nullptr;
  over(answered_ ? "answered" : "failed");
}

void Shadow::over(std::string_view outcome) { owner_.over(*this, outcome); }

std::unique_ptr<Shadow> Shadows::begin(const Admission& admission, const codec::RequestHead& head) {
  if (!policy::is_mirrored(admission.service->config().mirror, head, context_.random)) return nullptr;
  const bool nobody = admission.service->table.mirror().candidates().empty();
  if (nobody || count_ == limits::shadows_max) {
    report(nobody ? "no-endpoint" : "no-room");
    return nullptr;
  }
  return std::make_unique<Shadow>(*this, admission, head);
}

void Shadows::send(std::unique_ptr<Shadow> shadow, bool bodyless, const codec::Headers& trailers) {
  Shadow& sent = *shadow;
  sent_.emplace(&sent, std::move(shadow));
  sent.send(bodyless, trailers);
}

void Shadows::report(std::string_view outcome) { context_.telemetry.request_mirrored(outcome); }

// It may be in a callback of its own, so it dies later; but then the pool may be gone.
void Shadows::over(Shadow& shadow, std::string_view outcome) {
  report(outcome);
  shadow.let_go();
  auto node = sent_.extract(&shadow);
  if (node) context_.loop.delete_later(std::move(node.mapped()));
}

}  // namespace weft::sidecar
