// Builds and signs certificates from a plain description; what may stand in one is decided elsewhere (ca/).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "tls/certificate.h"
#include "tls/key.h"

namespace weft::tls {

struct CertificateTemplate {
  std::string serial;        // 1 to 20 bytes, big-endian, positive (RFC 5280 § 4.1.2.2)
  std::string organization;  // subject O of a CA certificate; a leaf has an empty subject
  std::string common_name;   // likewise
  std::vector<std::string> uris;
  std::vector<std::string> dns_names;
  WallTime not_before;
  WallTime not_after;
  bool is_ca = false;                   // keyCertSign and cRLSign, else digitalSignature
  std::optional<unsigned> path_length;  // CA only
  bool server_auth = false;
  bool client_auth = false;
};

// Signs with SHA-256. `issuer` is the certificate of `issuer_key`; without one the result is self-signed, and
// `subject_key` must be the public half of `issuer_key`.
Result<Certificate> sign_certificate(const CertificateTemplate& tmpl, const PublicKey& subject_key,
                                     const Certificate* issuer, const PrivateKey& issuer_key);

// 16 random bytes from BoringSSL with the top bit clear.
std::string random_serial();

}  // namespace weft::tls
