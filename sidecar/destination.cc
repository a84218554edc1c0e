#include "sidecar/destination.h"

#include "base/text.h"
#include "policy/path.h"
#include "policy/pod_call.h"
#include "sidecar/inbound_gate.h"

namespace weft::sidecar {

const Destination& Router::resolve() {
  if (resolved_with_ != context_.config) {
    resolved_with_ = context_.config;
    Destination found = find();
    // Given back as unused in the very moment in which it was used again: what was known serves meanwhile.
    const bool taken_away = found.kind == Destination::Kind::unknown && destination_.kind != found.kind;
    if (taken_away)
      context_.ask_owner(address_);
    else
      destination_ = std::move(found);
  }
  return destination_;
}

Destination Router::find() const {
  Destination destination;
  const policy::AddressOwner* owner = context_.config->owner(address_);
  if (!owner) return destination;
  switch (owner->kind) {
    case policy::AddressOwner::Kind::service:
      destination.service = context_.config->service(owner->service);
      if (!destination.service) return destination;
      destination.kind = Destination::Kind::service;
      destination.protocol = destination.service->config().protocol;
      return destination;
    case policy::AddressOwner::Kind::pod:
      return to_pod(*owner);
    case policy::AddressOwner::Kind::unknown_inside:
      destination.kind = Destination::Kind::refused;
      destination.reason = "unknown-destination";
      return destination;
    case policy::AddressOwner::Kind::unknown_outside:
      destination.kind =
          context_.registry_only() ? Destination::Kind::refused : Destination::Kind::passthrough;
      destination.reason = "registry-only";
      return destination;
  }
  return destination;
}

std::shared_ptr<const void> Router::basis() const {
  const auto owner = context_.config->owners.find(address_);
  if (owner == context_.config->owners.end()) return nullptr;
  if (owner->second->kind == policy::AddressOwner::Kind::service)
    return context_.config->service(owner->second->service);
  return owner->second;
}

Destination Router::to_pod(const policy::AddressOwner& owner) const {
  const auto governing = context_.config->service(owner.pod_service);
  policy::Service service = policy::service_of_pod(owner, governing ? &governing->config() : nullptr);
  Destination destination;
  destination.kind = Destination::Kind::service;
  destination.protocol = owner.protocol;
  destination.service = make_service_state(std::move(service), context_.endpoints, governing.get());
  return destination;
}

Destination Router::without_answer() const {
  Destination destination;
  destination.reason = "no-config";
  destination.kind = Destination::Kind::refused;
  // Inside the mesh's own ranges, plaintext is never a fall back.
  if (context_.in_mesh(address_.ip)) return destination;
  if (!context_.registry_only()) destination.kind = Destination::Kind::passthrough;
  return destination;
}

Admission OutboundGate::admit(codec::RequestHead& head, RequestRecord& record) {
  policy::NormalTarget target = policy::normalise_target(std::move(head.target));
  record.path = target.path();
  head.target = std::move(target.target);
  // Only the own application can have said it: on the way in, every sidecar strips it.
  const bool asked_for_attempts = head.headers.has(attempts_header);
  head.headers.remove_prefix("x-weft-");
  if (context_.credentials)
    record.peers.source_identity = context_.credentials->client->svid()->id.to_string();
  const Destination& destination = router_.resolve();
  Admission admission;
  if (destination.kind != Destination::Kind::service) {
    // What discovery has said is final; what it has not said yet may be otherwise in a moment.
    const bool final = destination.kind == Destination::Kind::refused;
    admission.reply = LocalReply{final ? 502 : 503,
                                 std::string(final ? destination.reason : "no-config"),
                                 str_cat("nothing is known of ", router_.address().to_string()),
                                 {}};
    return admission;
  }
  admission.service = destination.service;
  admission.application = destination.protocol;
  admission.tells_attempts = asked_for_attempts || destination.service->config().attempts_header;
  record.peers.service = destination.service->config().name;
  return admission;
}

}  // namespace weft::sidecar
