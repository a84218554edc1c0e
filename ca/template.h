// What stands in the certificates that the CA signs. Pure: identity, policy, time and serial in, template
// out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/spiffe_id.h"
#include "tls/issue.h"

namespace weft::ca {

inline constexpr auto leaf_lifetime_min = std::chrono::minutes(10);
inline constexpr auto leaf_lifetime_max = std::chrono::hours(24 * 7);
// Clocks differ: a certificate is valid a little before it was asked for.
inline constexpr auto backdate = std::chrono::seconds(60);

struct IssuePolicy {
  std::string trust_domain = "cluster.local";
  Duration leaf_lifetime = std::chrono::hours(24);
  // Control-plane accounts, "namespace/service-account", and the DNS names their certificates carry.
  std::map<std::string, std::vector<std::string>> control_plane;

  // The DNS names of `id`; none for everybody but the control plane.
  std::vector<std::string> dns_names_of(const SpiffeId& id) const;
};

// "weft-system/weft-discovery=weft-discovery.weft-system.svc,…"; adds to the policy's list.
Status add_control_plane(IssuePolicy& policy, std::string_view text);

// A leaf for `id`, for sidecars as well as for the control plane. `asked`: zero or less means the policy's
// lifetime, more than that is cut to it. Never outlives the signing certificate. Error: that one has expired.
Result<tls::CertificateTemplate> leaf_template(const SpiffeId& id, const IssuePolicy& policy, Duration asked,
                                               WallTime now, WallTime signer_not_after, std::string serial);

// A new root of our own. Its URI names the trust domain (X509-SVID § 3.2).
tls::CertificateTemplate root_template(const std::string& trust_domain, WallTime now, std::string serial);
std::string trust_domain_uri(const std::string& trust_domain);

}  // namespace weft::ca
