// Asking a sidecar for its certificate: its admin port is on the loopback address of the pod's own network.
// Blocking, bounded; for a job's thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace weft::local {

struct CertificateInfo {
  std::string spiffe_id;
  std::string not_after;
  bool operator==(const CertificateInfo&) const = default;
};

Result<CertificateInfo> ask_certificate(int network_fd);

// The first certificate of the admin page /certificates: [{"spiffe_id": …, "not_after": …}]. `response` is a
// whole HTTP response. Pure.
Result<CertificateInfo> parse_certificates(std::string_view response);

}  // namespace weft::local
