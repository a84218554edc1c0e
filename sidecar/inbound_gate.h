// Authorisation of requests at the receiving pod, by the caller's verified identity, on the normalised path;
// and what the application learns of its caller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/spiffe_id.h"
#include "sidecar/gate.h"
#include "sidecar/inbound_state.h"
#include "sidecar/worker_context.h"

namespace weft::sidecar {

// x-weft-error of an inbound sidecar whose application could not be reached: a promise to the caller's
// sidecar that trying again is safe. Only believed from a peer with a verified identity.
inline constexpr std::string_view undelivered_reason = "app-unreachable";

// Who is at the other end of an inbound connection. Without identity: anonymous.
struct Caller {
  std::optional<SpiffeId> identity;
  std::string certificate_sha256;  // hex
  IpAddress ip;
};

// The workload behind the caller's address, as discovery tells it, if it is one of the identity that was
// proved; empty: not known, or not yet.
std::string_view workload_of(const Config& config, const Caller& caller);

// The pod itself, as a caller of its own inbound side.
Caller own_identity(const WorkerContext& context);

// Nothing when the request may pass; otherwise what to say. Normalises the path of `head` first.
std::optional<LocalReply> authorise_request(const InboundState& inbound, std::uint16_t port,
                                            const Caller& caller, codec::RequestHead& head,
                                            RequestRecord& record);

// Removes what only we may say and sets x-forwarded-client-cert as Envoy writes it.
void announce_caller(const policy::InboundPolicy& policy, const Caller& caller, codec::RequestHead& head);

// The own pod is not called over the wire: its inbound policy is asked here, with the own identity. Nothing
// when `head` may go to the application at `port`, and then it names the caller.
std::optional<LocalReply> hand_over_request(const WorkerContext& context, std::uint16_t port,
                                            codec::RequestHead& head, RequestRecord& record);

class InboundGate final : public Gate {
 public:
  // `application`: the original destination, where the application listens.
  InboundGate(WorkerContext& context, Caller caller, const Address& application);
  Admission admit(codec::RequestHead& head, RequestRecord& record) override;
  bool permits(const codec::RequestHead& head) const override;

 private:
  WorkerContext& context_;
  Caller caller_;
  Address application_;
  std::string source_workload_;                  // workload_of, once it is known
  std::shared_ptr<const ServiceState> service_;  // the application, as a Service with one endpoint
};

}  // namespace weft::sidecar
