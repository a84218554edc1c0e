#include "injector/webhook.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "injector/admission_review.h"

namespace weft::injector {
namespace {

constexpr std::size_t handshakes_max = 256;
constexpr std::array outcomes = {Admission::Outcome::injected, Admission::Outcome::skipped,
                                 Admission::Outcome::refused};

http::SimpleReply text_reply(int status, std::string_view text) {
  http::SimpleReply reply;
  reply.status = status;
  reply.body = str_cat(text, "\n");
  return reply;
}

http::SimpleReply bad_request(InjectorMetrics& metrics, const http::SimpleRequest& request, int status,
                              std::string_view why) {
  ++metrics.bad_requests;
  log::warning(
      "request refused",
      {{"peer", request.peer.to_string()}, {"status", std::to_string(status)}, {"reason", std::string(why)}});
  return text_reply(status, why);
}

bool is_json(const http::SimpleRequest& request) {
  const auto type = request.head.headers.get("content-type");
  return type && equals_ignore_case(trim(type->substr(0, type->find(';'))), "application/json");
}

}  // namespace

std::string metrics_text(const InjectorMetrics& metrics, WallTime certificate_expires) {
  std::string text =
      "# HELP weft_injector_admissions_total Admission reviews answered.\n"
      "# TYPE weft_injector_admissions_total counter\n";
  for (const Admission::Outcome outcome : outcomes) {
    text += str_cat("weft_injector_admissions_total{outcome=\"", outcome_name(outcome), "\"} ",
                    metrics.admissions[static_cast<std::size_t>(outcome)], "\n");
  }
  text += str_cat(
      "# HELP weft_injector_bad_requests_total Requests that were no admission review.\n"
      "# TYPE weft_injector_bad_requests_total counter\n"
      "weft_injector_bad_requests_total ",
      metrics.bad_requests,
      "\n"
      "# HELP weft_injector_failed_handshakes_total TLS handshakes that failed.\n"
      "# TYPE weft_injector_failed_handshakes_total counter\n"
      "weft_injector_failed_handshakes_total ",
      metrics.failed_handshakes,
      "\n"
      "# HELP weft_certificate_expiry_timestamp_seconds When the serving certificate expires; 0: there is "
      "none.\n"
      "# TYPE weft_certificate_expiry_timestamp_seconds gauge\n"
      "weft_certificate_expiry_timestamp_seconds ",
      std::chrono::duration_cast<std::chrono::seconds>(certificate_expires.time_since_epoch()).count(), "\n");
  return text;
}

http::SimpleReply answer(const http::SimpleRequest& request, const InjectorConfig& config,
                         InjectorMetrics& metrics) {
  if (http::path_of(request.head.target) != "/inject") {
    return bad_request(metrics, request, 404, "no such path: the webhook is POST /inject");
  }
  if (request.head.method != "POST") {
    auto reply = bad_request(metrics, request, 405, "the webhook is POST /inject");
    reply.headers.set("allow", "POST");
    return reply;
  }
  if (!is_json(request)) {
    return bad_request(metrics, request, 415, "expected content-type application/json");
  }
  const auto admission = admit(request.body, config);
  if (!admission) return bad_request(metrics, request, 400, admission.error().message);
  ++metrics.admissions[static_cast<std::size_t>(admission->outcome)];
  log::info("admission", {{"pod", admission->pod},
                          {"outcome", std::string(outcome_name(admission->outcome))},
                          {"reason", admission->reason}});
  http::SimpleReply reply;
  reply.content_type = "application/json";
  reply.body = admission->answer;
  return reply;
}

Webhook::Webhook(io::Loop& loop, InjectorConfig config) : loop_(loop), config_(std::move(config)) {
  using Request = http::SimpleRequest;
  using Respond = http::SimpleServer::Respond;
  server_ = std::make_unique<http::SimpleServer>(
      loop, anchor_.guard([this](const Request& request, const Respond& respond) {
        respond(answer(request, config_, metrics_));
      }),
      admission_review_bytes_max);
  metrics_server_ = std::make_unique<http::SimpleServer>(
      loop, anchor_.guard([this](const Request& request, const Respond& respond) {
        respond(answer_metrics(request));
      }));
}

Webhook::~Webhook() = default;

Status Webhook::listen(const Address& address) {
  io::ListenOptions options;
  options.only_v6 = address.ip.is_v6();
  auto listener =
      loop_.listen(address, options,
                   anchor_.guard([this](std::unique_ptr<io::Stream> stream) { accept(std::move(stream)); }));
  if (!listener) return fail(listener.error());
  log::info("serving /inject", {{"address", (*listener)->local_address().to_string()}});
  listeners_.push_back(*std::move(listener));
  return {};
}

Status Webhook::listen_metrics(const Address& address) { return metrics_server_->listen(address); }

void Webhook::use(std::shared_ptr<const tls::Context> context) { context_ = std::move(context); }

void Webhook::accept(std::unique_ptr<io::Stream> stream) {
  if (!context_ || handshakes_.size() >= handshakes_max) return;
  const std::uint64_t id = ++next_handshake_;
  auto handshake =
      tls::handshake_server(loop_, std::move(stream), "", context_, limits::handshake_timeout,
                            anchor_.guard([this, id](Result<std::unique_ptr<tls::TlsStream>> done) {
                              shake_hands_done(id, std::move(done));
                            }));
  handshakes_.push_back(PendingHandshake{id, std::move(handshake)});
}

void Webhook::shake_hands_done(std::uint64_t id, Result<std::unique_ptr<tls::TlsStream>> stream) {
  std::erase_if(handshakes_, [id](const PendingHandshake& pending) { return pending.id == id; });
  if (stream) return server_->accept(*std::move(stream));
  ++metrics_.failed_handshakes;
  log::warning("handshake failed", {{"reason", stream.error().message}});
}

http::SimpleReply Webhook::answer_metrics(const http::SimpleRequest& request) const {
  const std::string_view path = http::path_of(request.head.target);
  const bool has_certificate = context_ != nullptr && context_->svid() != nullptr;
  const WallTime expires = has_certificate ? context_->svid()->not_after : WallTime{};
  if (path == "/metrics") {
    http::SimpleReply reply = text_reply(200, "");
    reply.content_type = "text/plain; version=0.0.4";
    reply.body = metrics_text(metrics_, expires);
    return reply;
  }
  if (path != "/ready") return text_reply(404, "no such path: there are /metrics and /ready");
  if (!has_certificate) {
    return text_reply(503, str_cat("not ready: ", why_not_ready_ ? why_not_ready_() : "no certificate yet"));
  }
  if (expires <= loop_.wall_now()) return text_reply(503, "not ready: the certificate has expired");
  return text_reply(200, "ready");
}

}  // namespace weft::injector
