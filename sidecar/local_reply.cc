#include "sidecar/local_reply.h"

#include "base/text.h"
#include "codec/grpc_frame.h"

namespace weft::sidecar {
namespace {

// By header name and value: a gRPC client reads the status from the head of a reply without messages.
codec::ResponseHead grpc_head(const LocalReply& reply) {
  codec::ResponseHead head;
  head.status = 200;
  head.headers.add("content-type", "application/grpc");
  head.headers.add("grpc-status",
                   std::to_string(static_cast<unsigned>(codec::grpc_code_of_http_status(reply.status))));
  head.headers.add("grpc-message", codec::encode_grpc_message(reply.text));
  return head;
}

}  // namespace

bool is_grpc(const codec::Headers& headers) {
  const auto type = headers.get("content-type");
  return type && type->starts_with("application/grpc");
}

void send_local_reply(http::ServerExchange& exchange, const codec::RequestHead& request,
                      const LocalReply& reply) {
  const bool grpc = is_grpc(request.headers);
  const std::string body = grpc ? std::string() : reply.text + "\n";
  codec::ResponseHead head;
  if (grpc) {
    head = grpc_head(reply);
  } else {
    head.status = reply.status;
    head.headers.add("content-type", "text/plain; charset=utf-8");
    head.headers.add("content-length", std::to_string(body.size()));
  }
  head.headers.add("x-weft-error", reply.reason);
  if (!reply.rule.empty()) head.headers.add("x-weft-rule", reply.rule);
  const bool bodiless = grpc || request.method == "HEAD";
  exchange.send_head(head, bodiless);
  if (bodiless) return;
  exchange.send_body(body);
  exchange.send_end({});
}

}  // namespace weft::sidecar
