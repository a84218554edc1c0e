// TLS for the HTTPS probes of an application, and for nothing else: THE SERVER'S CERTIFICATE IS NOT VERIFIED.
//
// A probe asks whether the application at the pod's own address answers. Its certificate is for the names
// that its callers use, signed by whomever they trust, often by itself; none of that is known here. The
// kubelet, in whose place weft probes, verifies nothing either. Such a stream decides about readiness and
// carries nobody's data. Only lib/http/health_probe.cc may include this header (tests/tidy sees to it).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tls/tls_stream.h"

namespace weft::tls {

struct UnverifiedProbeOptions {
  std::string server_name;  // SNI; empty: none is sent
  std::vector<std::string> alpn;
  bool tls13 = true;  // false: TLS 1.2 alone, else both
  Duration timeout = limits::handshake_timeout;
};

// No certificate of ours is shown. `done` as that of handshake_client(); the stream's peer() is empty and its
// context() null.
std::unique_ptr<Handshake> handshake_unverified_probe(io::Loop& loop, std::unique_ptr<io::Stream> inner,
                                                      const UnverifiedProbeOptions& options,
                                                      HandshakeDone done);

}  // namespace weft::tls
