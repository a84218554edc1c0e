// Asking a sidecar, or discovery, for a page of its admin port, which is on the loopback address of the pod's
// own network. Blocking, bounded; for a job's thread.
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
// The body of a page such as "/config".
Result<std::string> ask_admin(int network_fd, std::string_view path);
// Of a whole HTTP response with status 200. Pure.
Result<std::string> body_of_response(std::string_view response);

// The first certificate of the admin page /certificates: [{"spiffe_id": …, "not_after": …}]. `response` is a
// whole HTTP response. Pure.
Result<CertificateInfo> parse_certificates(std::string_view response);

}  // namespace weft::local
