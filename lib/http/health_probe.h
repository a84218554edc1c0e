// One health probe of an application, made as the kubelet makes it: an HTTP or HTTPS GET, a TCP connection, a
// gRPC health check. The sidecar makes the probes that were rewritten to it, `weft local` those of pods
// without a sidecar. Lives on its loop's thread.
//
// http: GET with the given headers (Host and User-Agent among them); 200-399 is success. A redirect to
//   another path, or to the probed address itself, is followed, up to ten times; any other one is success. At
//   most 10 KiB of the answer are read. `https`: TLS 1.2 or 1.3 without looking at the certificate, SNI from
//   the Host header where that is a name, HTTP/2 where the server chooses it (ALPN).
// tcp: the connection is made.
// grpc: grpc.health.v1.Health/Check, plaintext; SERVING is success.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/callback.h"
#include "base/clock.h"
#include "base/result.h"
#include "codec/message.h"
#include "io/loop.h"

namespace weft::http {

struct HealthProbe {
  enum class Kind : std::uint8_t { http, tcp, grpc };
  Kind kind = Kind::http;
  Address address;
  bool https = false;                  // http
  std::string path = "/";              // http: with query
  std::vector<codec::Header> headers;  // http
  std::string service;                 // grpc; empty: the server as a whole
  Duration timeout = std::chrono::seconds(1);
  // http: the message of a failure ends with the first line of the answer's body.
  bool quote_answer = false;
};

// A probe under way. Destroying it cancels: `done` will not run. It may be destroyed in `done`.
class ProbeUnderWay {
 public:
  virtual ~ProbeUnderWay() = default;
};

using ProbeDone = Function<void(Status)>;

// `done` runs exactly once, never inline. Errors say what came instead of success, for whoever wrote the
// probe.
[[nodiscard]] std::unique_ptr<ProbeUnderWay> run_health_probe(io::Loop& loop, HealthProbe probe,
                                                              ProbeDone done);

}  // namespace weft::http
