// One attempt to reach a peer: (name →) TCP → TLS, as a single cancellable step that yields a verified
// stream. Lives on the loop's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/callback.h"
#include "base/limits.h"
#include "base/spiffe_id.h"
#include "io/loop.h"
#include "tls/context.h"

namespace weft::io {
class Resolver;
}

namespace weft::http {

struct DialTarget {
  Address address;
  std::shared_ptr<const tls::Context> context;  // null: plaintext
  std::optional<SpiffeId> expected_identity;
  std::string server_name;  // DNS name to verify and send as SNI; may be empty
  std::vector<std::string> alpn;
  Duration connect_timeout = limits::connect_timeout;
  Duration handshake_timeout = limits::handshake_timeout;
};

using DialDone = Function<void(Result<std::unique_ptr<io::Stream>>)>;

// `done` runs exactly once, never inline, unless what is returned is destroyed first. Errors are those of
// connect and handshake, with the address in front.
[[nodiscard]] std::unique_ptr<io::Connecting> dial(io::Loop& loop, DialTarget target, DialDone done);

// As above, after `host` (a name or an address) was resolved; every address is tried in turn.
// `target.address` is ignored but for its port.
[[nodiscard]] std::unique_ptr<io::Connecting> dial_host(io::Loop& loop, io::Resolver& resolver,
                                                        std::string host, DialTarget target, DialDone done);

}  // namespace weft::http
