// A workload's own SVID, kept fresh: makes a key in memory, sends a CSR with the projected service-account
// token to the CA (istio.v1.auth.IstioCertificateService/CreateCertificate over TLS), and renews at half of
// the life, ±10 %. After a failure it tries again after 1 s, doubling to 60 s with jitter, while the old
// certificate serves until it expires. Sidecar, discovery and injector use it alike. One loop, one thread;
// key and token never leave memory.
//
// The CA is believed when its certificate is signed by the bootstrap bundle (read from the file at every
// attempt, for it may be rotated) and carries both the DNS name that was called and the CA's SPIFFE id. The
// reply's certificate must be for our key and identity, valid now, and signed by the reply's own root or the
// bootstrap bundle.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/callback.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/spiffe_id.h"

namespace weft::io {
class Loop;
class Resolver;
}  // namespace weft::io
namespace weft::tls {
struct Svid;
class TrustBundle;
}  // namespace weft::tls

namespace weft::kube {

struct WorkloadIdentityOptions {
  SpiffeId id;                 // what we are; a certificate for another identity is refused
  std::string ca_address;      // "weft-ca.weft-system.svc:15012" or "198.18.0.2:15012"
  std::string ca_server_name;  // DNS name its certificate must have; empty: the host of ca_address if a name
  SpiffeId ca_id;              // the CA's own identity
  std::string token_file;      // re-read at every attempt
  std::string bundle_file;     // PEM roots, re-read at every attempt
  std::chrono::seconds lifetime = std::chrono::hours(24);  // asked for; the CA may give less
  Duration attempt_timeout = std::chrono::seconds(10);     // one attempt, from connect to reply
};

// What serves at the moment. Immutable; safe to hand to other threads.
struct WorkloadCredentials {
  std::shared_ptr<const tls::Svid> svid;
  std::shared_ptr<const tls::TrustBundle> bundle;  // roots of the CA's reply and of the bootstrap file
};

class WorkloadIdentity {
 public:
  // `changed` runs after every successful issue, never inside a call of this object.
  using Changed = Function<void(const WorkloadCredentials&)>;
  WorkloadIdentity(io::Loop& loop, io::Resolver& resolver, Random& random, WorkloadIdentityOptions options,
                   Changed changed);
  ~WorkloadIdentity();

  void start();
  // Asks for a new certificate at once (with a new key), whatever the timer says. Joins an attempt under way.
  void renew_now();

  // Empty pointers before the first certificate. An expired one stays here: its owner looks at not_after.
  const WorkloadCredentials& credentials() const;
  // Why there is no (fresh) certificate; nothing after a success.
  const std::optional<Error>& last_error() const;
  std::optional<WallTime> next_attempt() const;
  std::uint64_t issued() const;    // certificates received since start
  std::uint64_t failures() const;  // failed attempts since start

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The moment to renew: half of the life after `not_before`, ±10 % by `unit` in [0, 1). Pure.
WallTime renewal_time(WallTime not_before, WallTime not_after, double unit);

}  // namespace weft::kube
