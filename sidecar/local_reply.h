// Replies that weft makes itself. Each carries `x-weft-error: <reason>`; for gRPC it is a trailers-only reply
// with the matching grpc-status. Reasons are listed in docs/observability.md.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "codec/message.h"
#include "http/exchange.h"

namespace weft::sidecar {

struct LocalReply {
  int status = 503;
  std::string reason;                   // "no-healthy-upstream"
  std::string text;                     // one sentence for people
  std::string rule;                     // RBAC: the rule that decided, as x-weft-rule; may be empty
  std::chrono::seconds retry_after{0};  // when to come again (RFC 9110 § 10.2.3); 0: nothing is known
  bool closed_idle = false;             // for the caller's sidecar: the application was not at fault
};

// More of something than weft.mesh/limits allows.
LocalReply overload_reply(std::string text);

bool is_grpc(const codec::Headers& headers);

// The grpc-status that says the same, as a number.
std::string grpc_status(const LocalReply& reply);
// The reply as the end of a gRPC response: grpc-status, grpc-message, x-weft-error.
codec::Headers grpc_trailers(const LocalReply& reply);

// How many tries were made of the request, 0 to 11; in requests it asks for that.
inline constexpr std::string_view attempts_header = "x-weft-attempts";

// Says LocalReply::closed_idle; taken off by the caller's sidecar.
inline constexpr std::string_view closed_idle_header = "x-weft-closed-idle";

// Sends head, `more` headers in it, body and end.
void send_local_reply(http::ServerExchange& exchange, const codec::RequestHead& request,
                      const LocalReply& reply, const codec::Headers& more = {});

}  // namespace weft::sidecar
