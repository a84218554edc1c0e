// A workload's identity: spiffe://<trust-domain>/ns/<namespace>/sa/<service-account>. A value.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"

namespace weft {

struct SpiffeId {
  std::string trust_domain;
  std::string name_space;
  std::string service_account;

  // Strict: exactly this form, lower-case trust domain, RFC 1123 names, no query, fragment, port,
  // user info, percent-encoding or empty segment (SPIFFE-ID §§ 2.1-2.3).
  static Result<SpiffeId> parse(std::string_view uri);
  std::string to_string() const;

  auto operator<=>(const SpiffeId&) const = default;
};

}  // namespace weft
