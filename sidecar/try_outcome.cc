#include "sidecar/try_outcome.h"

#include "base/text.h"
#include "sidecar/inbound_gate.h"
#include "sidecar/local_reply.h"

namespace weft::sidecar {

policy::TryOutcome outcome_of(const codec::ResponseHead& head, bool end, std::string_view peer_error) {
  policy::TryOutcome outcome;
  outcome.status = static_cast<std::uint16_t>(head.status);
  if (const auto status = head.headers.get("grpc-status"); status && end) {
    outcome.grpc_status = parse_number<std::uint32_t>(*status);
  }
  if (peer_error == undelivered_reason) {
    outcome.end = policy::TryEnd::connect_failure;
    outcome.never_delivered = true;
  } else if (peer_error == "upstream-reset") {
    outcome.end = policy::TryEnd::reset;
    outcome.closed_idle = head.headers.has(closed_idle_header);
  }
  return outcome;
}

}  // namespace weft::sidecar
