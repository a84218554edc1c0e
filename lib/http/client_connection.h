// A connection that requests are sent on, whatever its protocol: what a pool owns. HTTP/1 is made here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/limits.h"
#include "codec/http1.h"
#include "http/exchange.h"
#include "io/loop.h"
#include "io/stream.h"

namespace weft::http {

class ClientConnectionHandler {
 public:
  // An exchange ended and available() may have become true.
  virtual void connection_available() = 0;
  // The connection is over, after every exchange has finished or aborted; null for a clean end. Exactly once.
  virtual void connection_closed(const Error* error) = 0;

 protected:
  ~ClientConnectionHandler() = default;
};

// Owns its stream. No callback runs inside a call of its methods; the owner may destroy it at any time (then
// nothing more is called, not even the handlers of exchanges under way: close() first where they must hear of
// it).
class ClientConnection {
 public:
  virtual ~ClientConnection() = default;
  // Sends a request; `end`: no body follows. For CONNECT and for a head with an Upgrade field `end` is false.
  // Always yields an exchange: where the connection cannot take it after all, exchange_aborted follows with
  // Delivery::never. `handler` is borrowed until finished, aborted or cancelled.
  // REQUIRES: available(), in this loop turn: it is not looked at again.
  virtual ClientExchange& request(const codec::RequestHead& head, bool end,
                                  ClientExchangeHandler& handler) = 0;
  // How many exchanges it takes at a time; 0 once it takes no more.
  virtual std::size_t requests_max() const = 0;
  // Whether that is the peer's word: HTTP/2 knows it when SETTINGS have come.
  virtual bool requests_max_known() const { return true; }
  // Whether a request may be sent now, as far as is known: without a look at the socket.
  virtual bool ready() const = 0;
  // The same; looks at the socket, which costs a system call, so that a close by the peer is seen first.
  virtual bool available() const = 0;
  // Its peer does not take what was sent: a request may be sent, but another's body may hold up its own.
  virtual bool stalled() const { return false; }
  virtual bool idle() const = 0;  // no exchange under way
  // How long an idle connection may be kept: `otherwise`, or less where the peer said so (Keep-Alive:
  // timeout=N).
  virtual Duration idle_limit(Duration otherwise) const = 0;
  // Takes no further request; closes when idle.
  virtual void drain() = 0;
  // Ends at once: exchanges abort with `why`, then connection_closed follows.
  virtual void close(const Error& why) = 0;
  virtual io::Stream& stream() = 0;  // until connection_closed
  // Whether the peer, which has answered on it, takes no more requests (GOAWAY, RFC 9113 § 6.8).
  virtual bool told_to_go() const { return false; }
  // Whether it ended in an exchange that aborted as Delivery::raced.
  virtual bool raced() const { return false; }
};

struct ClientOptions {
  Duration idle_timeout = limits::http_idle_timeout;        // no byte either way within an exchange
  Duration tunnel_idle_timeout = limits::tcp_idle_timeout;  // the same after an upgrade or CONNECT
  codec::PeerLimits limits;
  // HTTP/1: a peer that closes in order, without a byte of an answer, has read no request. True of our own
  // servers alone: what they have begun they answer, or break off.
  bool clean_close_is_refusal = false;
  // HTTP/2: a peer that falls silent in the midst of an exchange is asked for a sign of life, and given up
  // without one. Right for our own sidecars alone, which always read: an application may be busy, and of one
  // that died the kernel on this host tells.
  bool ping_when_silent = false;
  // HTTP/2: how many requests leave before the peer has said how many it takes (SETTINGS).
  std::uint32_t requests_before_settings = 1;
};

// HTTP/1.1 over `stream`, connected and unread. A request body without Content-Length is chunked. Response
// heads come without hop-by-hop fields (Upgrade stays in 101). After a 101 to an Upgrade, or 2xx to CONNECT,
// both bodies are the raw bytes of the tunnel; before it, writable() is false for such a request.
// A response that is complete before its request waits for send_end(), unless the peer closes.
std::unique_ptr<ClientConnection> make_http1_client_connection(io::Loop& loop,
                                                               std::unique_ptr<io::Stream> stream,
                                                               ClientConnectionHandler& handler,
                                                               const ClientOptions& options);
// HTTP/2 with prior knowledge over `stream`: many exchanges at a time. Only requests without Upgrade; an
// extended CONNECT waits until the server has said that it takes one (writable() is false), and where it does
// not, exchange_aborted follows with Code::not_found and Delivery::never. Must not be destroyed in a
// callback: delete_later().
std::unique_ptr<ClientConnection> make_http2_client_connection(io::Loop& loop,
                                                               std::unique_ptr<io::Stream> stream,
                                                               ClientConnectionHandler& handler,
                                                               const ClientOptions& options);

}  // namespace weft::http
