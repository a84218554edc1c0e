// Subject alternative names out of BoringSSL's structures, for certificates and requests alike. Internal.
#pragma once

#include <string>
#include <vector>

#include <openssl/x509v3.h>

#include "base/result.h"

namespace weft::tls {

struct AlternativeNames {
  std::vector<std::string> uris;
  std::vector<std::string> dns_names;
  std::vector<std::string> other;  // kinds of the rest, for messages
};

// At most 64 names.
Result<AlternativeNames> read_names(const GENERAL_NAMES* names);

// A subjectAltName extension, critical or not. Null when BoringSSL fails.
bssl::UniquePtr<X509_EXTENSION> make_names(const std::vector<std::string>& uris,
                                           const std::vector<std::string>& dns_names, bool critical);

}  // namespace weft::tls
