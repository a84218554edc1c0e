// Whether a request for a certificate is acceptable, and if not, why: the words go to the one who asked.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "base/spiffe_id.h"
#include "ca/template.h"
#include "codec/grpc_frame.h"
#include "tls/csr.h"
#include "tls/jwt.h"

namespace weft::ca {

// Why a certificate was refused; the label of weft_ca_refused_total.
enum class Reason : std::uint8_t {
  no_token,        // nobody said who is asking
  bad_token,       // malformed, foreign, expired, not for us
  not_pod_bound,   // a token that outlives its pod proves nothing about a pod
  bad_identity,    // the token's account makes no SPIFFE id
  bad_csr,         // malformed request
  wrong_identity,  // the request names somebody else
  unavailable,     // the CA cannot decide or sign now
};
inline constexpr std::size_t reasons = 7;
std::string_view reason_name(Reason reason);

struct Refusal {
  Reason reason;
  std::string message;
  codec::GrpcStatus status() const;
};

template <class T>
using Verdict = tl::expected<T, Refusal>;

inline tl::unexpected<Refusal> refuse(Reason reason, std::string message) {
  return tl::unexpected<Refusal>(Refusal{reason, std::move(message)});
}

// The token of an `authorization` field: "Bearer TOKEN".
Verdict<std::string_view> bearer_token(std::optional<std::string_view> authorization);

// Who the bearer of a verified token is.
Verdict<SpiffeId> identity_of(const tls::TokenClaims& claims, const std::string& trust_domain);

// Whether `request` may become a certificate for `id`: a fitting key, and no name in it but the id and DNS
// names that the policy gives it. Nothing means it may.
std::optional<Refusal> check_request(const tls::CertificateRequest& request, const SpiffeId& id,
                                     const IssuePolicy& policy);

}  // namespace weft::ca
