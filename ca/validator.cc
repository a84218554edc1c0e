#include "ca/validator.h"

#include <algorithm>

#include "base/text.h"

namespace weft::ca {

std::string_view reason_name(Reason reason) {
  switch (reason) {
    case Reason::no_token:
      return "no_token";
    case Reason::bad_token:
      return "bad_token";
    case Reason::not_pod_bound:
      return "not_pod_bound";
    case Reason::bad_identity:
      return "bad_identity";
    case Reason::bad_csr:
      return "bad_csr";
    case Reason::wrong_identity:
      return "wrong_identity";
    case Reason::unavailable:
      return "unavailable";
  }
  return "unknown";
}

codec::GrpcStatus Refusal::status() const {
  using codec::GrpcCode;
  switch (reason) {
    case Reason::no_token:
    case Reason::bad_token:
      return {GrpcCode::unauthenticated, message};
    case Reason::not_pod_bound:
    case Reason::bad_identity:
    case Reason::wrong_identity:
      return {GrpcCode::permission_denied, message};
    case Reason::bad_csr:
      return {GrpcCode::invalid_argument, message};
    case Reason::unavailable:
      break;
  }
  return {GrpcCode::unavailable, message};
}

Verdict<std::string_view> bearer_token(std::optional<std::string_view> authorization) {
  constexpr std::string_view scheme = "bearer ";
  if (!authorization) {
    return refuse(Reason::no_token, "no 'authorization' metadata: send 'Bearer' and a service-account token");
  }
  if (!equals_ignore_case(authorization->substr(0, scheme.size()), scheme)) {
    return refuse(Reason::no_token, "'authorization' metadata is not of the form 'Bearer TOKEN'");
  }
  const auto token = trim(authorization->substr(scheme.size()));
  if (token.empty()) return refuse(Reason::no_token, "'authorization' metadata holds an empty token");
  return token;
}

Verdict<SpiffeId> identity_of(const tls::TokenClaims& claims, const std::string& trust_domain) {
  if (claims.name_space.empty() || claims.service_account.empty()) {
    return refuse(
        Reason::bad_identity,
        "the token names no service account (claims 'kubernetes.io'.namespace and .serviceaccount.name)");
  }
  auto id = SpiffeId::parse(SpiffeId{trust_domain, claims.name_space, claims.service_account}.to_string());
  if (!id)
    return refuse(Reason::bad_identity,
                  str_cat("the token's account makes no identity: ", id.error().message));
  // Kubernetes says the account twice; a token that contradicts itself is none of its.
  const auto subject = str_cat("system:serviceaccount:", claims.name_space, ":", claims.service_account);
  if (!claims.subject.empty() && claims.subject != subject) {
    return refuse(Reason::bad_identity, str_cat("the token's subject is '", printable(claims.subject),
                                                "', but its claims say '", subject, "'"));
  }
  if (claims.pod_name.empty() || claims.pod_uid.empty()) {
    return refuse(Reason::not_pod_bound,
                  str_cat("the token of ", claims.name_space, "/", claims.service_account,
                          " is not bound to a pod: mount a projected serviceAccountToken volume"));
  }
  return *std::move(id);
}

std::optional<Refusal> check_request(const tls::CertificateRequest& request, const SpiffeId& id,
                                     const IssuePolicy& policy) {
  const std::string own = id.to_string();
  for (const auto& uri : request.uris) {
    if (uri != own) {
      return Refusal{Reason::wrong_identity,
                     str_cat("the CSR asks for '", printable(uri, 256), "', but the token is of ", own)};
    }
  }
  if (request.uris.size() > 1) return Refusal{Reason::bad_csr, "CSR: the same URI twice"};
  const auto allowed = policy.dns_names_of(id);
  for (const auto& name : request.dns_names) {
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      return Refusal{Reason::wrong_identity, str_cat("the CSR asks for the DNS name '", printable(name, 256),
                                                     "', which ", own, " may not have")};
    }
  }
  if (!request.other_names.empty()) {
    return Refusal{Reason::bad_csr,
                   str_cat("CSR: a subject alternative name of the kind '", request.other_names.front(),
                           "' is not signed, only the SPIFFE id is")};
  }
  return std::nullopt;
}

}  // namespace weft::ca
