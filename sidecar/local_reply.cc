#include "sidecar/local_reply.h"

#include "base/text.h"
#include "codec/grpc_frame.h"

namespace weft::sidecar {
namespace {

// Of what came without a grpc-status a client makes UNAVAILABLE of 504; a time-out of our own has a better
// word.
codec::GrpcCode grpc_code(const LocalReply& reply) {
  constexpr int gateway_timeout = 504;
  return reply.status == gateway_timeout ? codec::GrpcCode::deadline_exceeded
                                         : codec::grpc_code_of_http_status(reply.status);
}

}  // namespace

std::string grpc_status(const LocalReply& reply) {
  return std::to_string(static_cast<unsigned>(grpc_code(reply)));
}

codec::Headers grpc_trailers(const LocalReply& reply) {
  codec::Headers trailers;
  trailers.add("grpc-status", grpc_status(reply));
  trailers.add("grpc-message", codec::encode_grpc_message(reply.text));
  trailers.add("x-weft-error", reply.reason);
  return trailers;
}

LocalReply overload_reply(std::string text) {
  return LocalReply{503, "overload", std::move(text), {}, std::chrono::seconds(1)};
}

bool is_grpc(const codec::Headers& headers) {
  const auto type = headers.get("content-type");
  return type && type->starts_with("application/grpc");
}

void send_local_reply(http::ServerExchange& exchange, const codec::RequestHead& request,
                      const LocalReply& reply, const codec::Headers& more) {
  const bool grpc = is_grpc(request.headers);
  const std::string body = grpc ? std::string() : reply.text + "\n";
  codec::ResponseHead head;
  if (grpc) {
    // A client reads the status from the head of a response without messages.
    head.status = 200;
    head.headers = grpc_trailers(reply);
    head.headers.add("content-type", "application/grpc");
  } else {
    head.status = reply.status;
    head.headers.add("content-type", "text/plain; charset=utf-8");
    head.headers.add("content-length", std::to_string(body.size()));
    head.headers.add("x-weft-error", reply.reason);
  }
  if (!reply.rule.empty()) head.headers.add("x-weft-rule", reply.rule);
  if (reply.closed_idle) head.headers.add(std::string(closed_idle_header), "1");
  for (const codec::Header& field : more.fields()) head.headers.add(field.name, field.value);
  if (reply.retry_after.count() > 0)
    head.headers.add("retry-after", std::to_string(reply.retry_after.count()));
  const bool bodiless = grpc || request.method == "HEAD";
  exchange.send_head(head, bodiless);
  if (bodiless) return;
  exchange.send_body(body);
  exchange.send_end({});
}

}  // namespace weft::sidecar
