#include "sidecar/inbound_gate.h"

#include "base/log.h"
#include "base/text.h"
#include "policy/path.h"
#include "sidecar/extended_connect.h"
#include "sidecar/forwarded_headers.h"
#include "sidecar/upstreams.h"
#include "tls/context.h"

namespace weft::sidecar {
namespace {

std::shared_ptr<const ServiceState> application_service(const Address& application,
                                                        policy::EndpointRegistry& endpoints) {
  policy::Service service;
  service.name = str_cat("application:", application.port);
  policy::Endpoint endpoint;
  endpoint.address = application;
  service.endpoints.push_back(std::move(endpoint));
  return make_service_state(std::move(service), endpoints, nullptr);
}

LocalReply refusal(const policy::RbacDecision& decision, const Caller& caller) {
  if (decision.reason == policy::RbacReason::unsafe_path) {
    return LocalReply{
        400, "unsafe-path", "the path has two readings, and rules by path govern this port", {}};
  }
  const std::string who = caller.identity ? caller.identity->to_string() : "an anonymous caller";
  // Names of rules are for members of the mesh only.
  return LocalReply{
      403, "rbac-denied",
      caller.identity ? str_cat(who, " may not do this: ", decision.to_string()) : "access denied",
      caller.identity ? std::string(decision.rule) : std::string()};
}

}  // namespace

Caller own_identity(const WorkerContext& context) {
  Caller caller;
  if (!context.credentials) return caller;
  const auto& svid = context.credentials->client->svid();
  caller.identity = svid->id;
  caller.certificate_sha256 = svid->chain.front().sha256_hex();
  return caller;
}

std::string_view workload_of(const Config& config, const Caller& caller) {
  const policy::AddressOwner* const owner = config.owner(Address{caller.ip, 0});
  const bool proved = owner != nullptr && owner->kind == policy::AddressOwner::Kind::pod && caller.identity &&
                      owner->pod.identity == caller.identity->to_string();
  return proved ? std::string_view(owner->pod.workload_name) : std::string_view();
}

std::optional<LocalReply> authorise_request(const InboundState& inbound, std::uint16_t port,
                                            const Caller& caller, codec::RequestHead& head,
                                            RequestRecord& record) {
  policy::NormalTarget target = policy::normalise_target(std::move(head.target));
  const InboundState::Port& governed = inbound.port(port);
  const policy::RbacRequest request{governed_method(head), target.path(), target.hazard};
  const policy::RbacDecision decision =
      governed.rules.decide(caller.identity ? &*caller.identity : nullptr, &request);
  record.path = target.path();
  record.rule = decision.recorded_rule();
  head.target = std::move(target.target);
  if (decision.allowed) return std::nullopt;
  return refusal(decision, caller);
}

bool InboundGate::permits(const codec::RequestHead& head) const {
  const policy::NormalTarget target = policy::normalise_target(head.target);
  const policy::RbacRequest request{governed_method(head), target.path(), target.hazard};
  const auto& inbound = context_.config->inbound;
  return inbound && inbound->port(application_.port)
                        .rules.decide(caller_.identity ? &*caller_.identity : nullptr, &request)
                        .allowed;
}

void announce_caller(const policy::InboundPolicy& policy, const Caller& caller, codec::RequestHead& head) {
  remove_claims(head.headers);
  if (!caller.identity) return;
  head.headers.add(client_cert_header, str_cat("By=", policy.identity, ";Hash=", caller.certificate_sha256,
                                               ";URI=", caller.identity->to_string()));
}

std::optional<LocalReply> hand_over_request(const WorkerContext& context, std::uint16_t port,
                                            codec::RequestHead& head, RequestRecord& record) {
  const auto& inbound = context.config->inbound;
  if (!inbound) return LocalReply{503, "no-config", "the pod's own inbound policy is not known yet", {}};
  const Caller caller = own_identity(context);
  auto refusal = authorise_request(*inbound, port, caller, head, record);
  if (!refusal) announce_caller(inbound->policy(), caller, head);
  return refusal;
}

InboundGate::InboundGate(WorkerContext& context, Caller caller, const Address& application)
    : context_(context),
      caller_(std::move(caller)),
      application_(application),
      service_(application_service(application, context.endpoints)) {}

Admission InboundGate::admit(codec::RequestHead& head, RequestRecord& record) {
  const auto& inbound = context_.config->inbound;
  Admission admission;
  if (!inbound) {
    admission.reply = LocalReply{503, "no-config", "this pod has no inbound policy yet", {}};
    return admission;
  }
  record.peers.destination_identity = inbound->policy().identity;
  if (caller_.identity) record.peers.source_identity = caller_.identity->to_string();
  if (record.peers.source_workload.empty()) {
    if (source_workload_.empty()) source_workload_ = workload_of(*context_.config, caller_);
    record.peers.source_workload = source_workload_;
  }
  admission.reply = authorise_request(*inbound, application_.port, caller_, head, record);
  if (admission.reply) {
    log::info("request refused",
              {{"reason", admission.reply->reason},
               {"caller", caller_.identity ? record.peers.source_identity : record.peers.source_address},
               {"method", head.method},
               {"path", record.path},
               {"rule", record.rule}});
    return admission;
  }
  admission.service = service_;
  admission.application = inbound->port(application_.port).config.protocol;
  if (!policy::is_http(admission.application) && caller_.identity &&
      head.headers.get(came_as_header) == came_as_http1)
    admission.application = policy::Protocol::http1;
  announce_caller(inbound->policy(), caller_, head);
  return admission;
}

}  // namespace weft::sidecar
