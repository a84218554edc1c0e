// TLS over any io::Stream, itself an io::Stream. A handshake either gives a stream whose peer was verified,
// or an error that says who refused what; no application byte is sent or handed up before that. Lives on its
// loop's thread; the loop, and the handler given to start(), outlive it.
//
// end() sends close_notify and then FIN. A FIN from the peer without close_notify is a truncation and comes
// as stream_failed (Code::closed), never as stream_end. Back-pressure is the inner stream's: queued_bytes()
// counts encrypted bytes, pause() stops reading from the socket.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/callback.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/spiffe_id.h"
#include "io/loop.h"
#include "io/stream.h"
#include "tls/context.h"

namespace weft::tls {

struct PeerInfo {
  std::optional<SpiffeId> identity;  // nothing: no certificate was asked for, or verified by DNS name alone
  std::vector<std::string> dns_names;
  std::string certificate_sha256;  // hex, of the leaf; empty without certificate
  WallTime not_after{};            // the leaf's; meaningless without certificate
};

class TlsStream : public io::Stream {
 public:
  virtual const PeerInfo& peer() const = 0;
  virtual const std::string& alpn() const = 0;  // empty: none agreed
  // The context it was made with, so that an owner can tell connections of an old certificate or bundle.
  virtual const std::shared_ptr<const Context>& context() const = 0;
};

// Whom a stream was verified to lead to; null for a stream that is not TLS.
const PeerInfo* peer_of(const io::Stream& stream);

using HandshakeDone = Function<void(Result<std::unique_ptr<TlsStream>>)>;

// A handshake under way; it owns the inner stream. Destroying it cancels: `done` will not run. It may be
// destroyed in `done`.
class Handshake {
 public:
  virtual ~Handshake() = default;
};

struct ClientOptions {
  // Whom to expect. At least one of both; with both, both must hold.
  std::optional<SpiffeId> expected_identity;
  std::string server_name;  // DNS name to verify, also sent as SNI
  std::vector<std::string> alpn;
  Duration timeout = limits::handshake_timeout;
};

// `done` runs exactly once, never inline. Errors: refused (we refused the peer, or the peer us), timeout,
// closed (the peer went away), invalid (not TLS, or options that name nobody), or the inner stream's.
std::unique_ptr<Handshake> handshake_client(io::Loop& loop, std::unique_ptr<io::Stream> inner,
                                            std::shared_ptr<const Context> context, ClientOptions options,
                                            HandshakeDone done);
// `already_read`: bytes that were read from `inner` before, to look at the ClientHello.
std::unique_ptr<Handshake> handshake_server(io::Loop& loop, std::unique_ptr<io::Stream> inner,
                                            std::string already_read, std::shared_ptr<const Context> context,
                                            Duration timeout, HandshakeDone done);

}  // namespace weft::tls
