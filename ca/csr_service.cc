#include "ca/csr_service.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "istio/v1/ca.pb.h"
#include "tls/csr.h"

namespace weft::ca {
namespace {

// Whatever number was sent; the policy bounds what it means.
Duration lifetime_asked(std::int64_t seconds) {
  constexpr std::int64_t most =
      std::chrono::duration_cast<std::chrono::seconds>(Duration(leaf_lifetime_max)).count();
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, most));
}

Refusal refusal_of(const Error& error, Reason reason) {
  const bool ours = error.code == Code::unavailable || error.code == Code::internal;
  return Refusal{ours ? Reason::unavailable : reason, error.message};
}

}  // namespace

CsrService::CsrService(io::Loop& loop, const Authority& authority, const TokenVerifier& tokens,
                       const IssuePolicy& policy, Metrics& metrics)
    : loop_(loop), authority_(authority), tokens_(tokens), policy_(policy), metrics_(metrics) {}

void CsrService::serve(http::GrpcServer& server) {
  server.add_unary(create_certificate,
                   anchor_.guard([this](const http::GrpcRequest& request, std::string_view message,
                                        http::GrpcResponder responder) {
                     answer(request, message, std::move(responder));
                   }));
}

Verdict<CsrService::Granted> CsrService::decide(const http::GrpcRequest& request,
                                                std::string_view message) const {
  const auto refused = [](Refusal refusal) { return tl::unexpected<Refusal>(std::move(refusal)); };
  const WallTime now = loop_.wall_now();

  const auto token = bearer_token(request.metadata.get("authorization"));
  if (!token) return refused(token.error());
  const auto claims = tokens_.verify(*token, now);
  if (!claims) return refused(refusal_of(claims.error(), Reason::bad_token));
  auto id = identity_of(*claims, policy_.trust_domain);
  if (!id) return refused(id.error());

  istio::v1::auth::IstioCertificateRequest wire;
  if (!wire.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return refuse(Reason::bad_csr, "the request is no IstioCertificateRequest");
  }
  const auto csr = tls::parse_csr(wire.csr());
  if (!csr) return refused(refusal_of(csr.error(), Reason::bad_csr));
  if (auto refusal = check_request(*csr, *id, policy_)) return refused(*std::move(refusal));
  auto issued = authority_.issue(*id, csr->key, policy_, lifetime_asked(wire.validity_duration()), now);
  if (!issued) return refused(Refusal{Reason::unavailable, issued.error().message});
  return Granted{*std::move(id), str_cat(claims->name_space, "/", claims->pod_name), *std::move(issued)};
}

void CsrService::answer(const http::GrpcRequest& request, std::string_view message,
                        http::GrpcResponder responder) {
  auto granted = decide(request, message);
  if (!granted) {
    ++metrics_.refused[static_cast<std::size_t>(granted.error().reason)];
    log::warning("certificate refused", {{"peer", request.peer->address.to_string()},
                                         {"reason", std::string(reason_name(granted.error().reason))},
                                         {"message", granted.error().message}});
    responder.fail(granted.error().status());
    return;
  }
  ++metrics_.issued;
  const tls::Certificate& leaf = granted->issued.leaf;
  log::info("certificate issued", {{"id", granted->id.to_string()},
                                   {"pod", granted->pod},
                                   {"serial", leaf.serial_hex()},
                                   {"expires", format_time(leaf.not_after())}});
  istio::v1::auth::IstioCertificateResponse reply;
  for (auto& pem : granted->issued.chain) reply.add_cert_chain(std::move(pem));
  responder.reply(reply.SerializeAsString());
}

}  // namespace weft::ca
