// A connection that serves requests, whatever its protocol: what an acceptor owns. HTTP/1 is made here.
#pragma once

#include <memory>
#include <string>

#include "base/limits.h"
#include "codec/http1.h"
#include "http/exchange.h"
#include "io/loop.h"
#include "io/stream.h"

namespace weft::http {

// Owns its stream. Calls ServerConnectionHandler::connection_closed exactly once, never inside a call of its
// own methods; the owner may destroy it there or at any other time (then nothing more is called, not even the
// handlers of exchanges under way: close() first where they must hear of it).
class ServerConnection {
 public:
  virtual ~ServerConnection() = default;
  // Takes no further request: what is under way finishes and says that the connection closes; an idle one
  // closes.
  virtual void drain() = 0;
  // The same for a caller whose word counts no more: what is on its way, or has come in part, is not taken
  // either. (HTTP/2 drains for the round trip in which the caller learns of it.) The caller is told, and may
  // send it elsewhere.
  virtual void refuse_new() = 0;
  // Ends at once: exchanges abort with `why`, then connection_closed follows.
  virtual void close(const Error& why) = 0;
  virtual bool idle() const = 0;  // no exchange under way
  virtual io::Stream& stream() = 0;
};

// Hears of what could not be made a request, so that it is counted. Borrowed; outlives the connection.
class RefusalHandler {
 public:
  // The connection answers by itself: `reply` is complete but may be added to. HTTP/1 closes behind it.
  virtual void request_refused(const codec::Http1Error& error, codec::ResponseHead& reply) = 0;
  // HTTP/2: malformed, or with a head above the limits. Its stream was reset, the connection goes on.
  virtual void request_reset(std::string_view why) = 0;

 protected:
  ~RefusalHandler() = default;
};

struct ServerOptions {
  Duration header_timeout = limits::header_read_timeout;    // first byte of a head to its end; then 408
  Duration idle_timeout = limits::http_idle_timeout;        // no byte either way, between or within exchanges
  Duration tunnel_idle_timeout = limits::tcp_idle_timeout;  // the same after an upgrade or CONNECT
  // Behind our last byte the peer's close is waited for, so long and for so many bytes.
  Duration linger_timeout = limits::linger_timeout;
  std::size_t linger_bytes_max = limits::linger_bytes_max;
  // Answers `Expect: 100-continue` by itself when the body is first asked for; a proxy leaves it to the
  // upstream.
  bool answer_expect = false;
  // HTTP/2: as ClientOptions has it. A caller that reads slowly has its ping behind megabytes in the kernel.
  bool ping_when_silent = false;
  codec::PeerLimits limits;
  RefusalHandler* refusals = nullptr;
};

// HTTP/1.0 and 1.1 over `stream`, with the bytes a detector `already_read`. Heads come without hop-by-hop
// fields; of a request that asks for an upgrade, Upgrade stays, and `end` is false for it as for CONNECT:
//  - after send_head(101), or 2xx for CONNECT, both bodies are the raw bytes of the tunnel, request_end is
//  the
//    peer's FIN and send_end ours;
//  - after any other final head request_end follows at once.
// One request at a time is handed up; pipelined ones wait in the kernel. A response body without
// Content-Length is chunked, or delimited by the close for HTTP/1.0. A response that is complete before its
// request goes on receiving the body; close_after() stops that and finishes the exchange. A Content-Length
// that does not match what is sent closes the connection, without completing the message.
std::unique_ptr<ServerConnection> make_http1_server_connection(io::Loop& loop,
                                                               std::unique_ptr<io::Stream> stream,
                                                               ServerConnectionHandler& handler,
                                                               const ServerOptions& options,
                                                               std::string already_read);
// HTTP/2 with prior knowledge over `stream`, behind the bytes a detector `already_read`; many exchanges at a
// time. A paused body closes the window of its own stream; at most a window is held for it. Must not be
// destroyed in a callback: delete_later().
std::unique_ptr<ServerConnection> make_http2_server_connection(io::Loop& loop,
                                                               std::unique_ptr<io::Stream> stream,
                                                               ServerConnectionHandler& handler,
                                                               const ServerOptions& options,
                                                               std::string already_read);

}  // namespace weft::http
