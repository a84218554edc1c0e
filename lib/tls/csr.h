// Certificate signing requests (PKCS#10). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/spiffe_id.h"
#include "tls/key.h"

namespace weft::tls {

// A request for `id`, signed with `key`, as PEM. Empty subject, the id as the only URI SAN (critical, since
// the subject is empty: RFC 5280 § 4.2.1.6).
Result<std::string> make_csr(const PrivateKey& key, const SpiffeId& id);

struct CertificateRequest {
  PublicKey key;
  std::vector<std::string> uris;
  std::vector<std::string> dns_names;
  std::vector<std::string> other_names;  // kinds of further SANs: "IP address", "email", …
  std::string common_name;               // may be empty
};

inline constexpr std::size_t csr_bytes_max = 16 * 1024;

// Exactly one PEM block of at most csr_bytes_max, whose signature proves that the sender has the key.
Result<CertificateRequest> parse_csr(std::string_view pem);

}  // namespace weft::tls
