// One request and its response, seen from the two ends of a proxy, independent of the protocol: HTTP/1
// exchanges and HTTP/2 streams look alike. A server connection calls its handler with a ServerExchange per
// request; a client connection returns a ClientExchange per request. Everything lives on one loop's thread.
//
// Order of events on each side: head, body*, end — or `aborted` at any moment; after `finished` or `aborted`
// (exactly one of them, exactly once) the exchange object is gone and must not be touched. Handlers are
// borrowed and outlive their exchange. No callback runs inside a call of the exchange's own methods.
//
// Back-pressure: a producer stops when writable() is false and goes on at drained(); a consumer that is full
// calls pause_body() and later resume_body().
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "codec/message.h"

namespace weft::http {

// What a connection speaks; HTTP/1 is 1.0 and 1.1.
enum class HttpProtocol : std::uint8_t { http1, http2 };

// ---- server side: requests come in ----

class ServerExchangeHandler {
 public:
  virtual void request_body(std::string_view bytes) = 0;
  virtual void request_end(const codec::Headers& trailers) = 0;
  virtual void response_drained() = 0;
  // The caller will send nothing more on this connection. It may be gone, or wait for its answer all the
  // same: nothing tells the two apart before something is sent to it. HTTP/1 alone, behind a complete
  // request.
  virtual void caller_ended() {}
  // Request and response are both complete.
  virtual void exchange_finished() = 0;
  // The caller went away, broke the protocol, or reset() was called.
  virtual void exchange_aborted(const Error& error) = 0;

 protected:
  ~ServerExchangeHandler() = default;
};

class ServerExchange {
 public:
  // Interim heads (1xx) may come first, then one final head. `end`: no body follows.
  virtual void send_head(const codec::ResponseHead& head, bool end) = 0;
  virtual void send_body(std::string_view bytes) = 0;
  virtual void send_end(const codec::Headers& trailers) = 0;
  // Gives up: HTTP/1 closes the connection (without a complete message), HTTP/2 resets the stream.
  // exchange_aborted follows at the end of the turn.
  virtual void reset(const Error& why) = 0;
  virtual void pause_body() = 0;
  virtual void resume_body() = 0;
  virtual bool writable() const = 0;
  // Nobody takes the rest of the request: once the response is complete the exchange finishes. HTTP/1 has to
  // close the connection for it, HTTP/2 resets the stream.
  virtual void abandon_request() = 0;
  // The connection closes, gracefully, behind this exchange (HTTP/1: "Connection: close"; HTTP/2: GOAWAY).
  virtual void close_after() = 0;

 protected:
  ~ServerExchange() = default;
};

class ServerConnectionHandler {
 public:
  // A request head arrived; the returned handler takes the rest. `end`: no body follows, and request_end will
  // not be called.
  virtual ServerExchangeHandler& request_begins(ServerExchange& exchange, codec::RequestHead&& head,
                                                bool end) = 0;
  // The connection is over, after every exchange has finished or aborted. The owner deletes it
  // (delete_later).
  virtual void connection_closed(const Error* error) = 0;

 protected:
  ~ServerConnectionHandler() = default;
};

// ---- client side: requests go out ----

// Whether an aborted request can have reached the peer's application.
enum class Delivery {
  never,  // proved: no byte was handed to the kernel, REFUSED_STREAM, or above GOAWAY's last stream id
  raced,  // a connection used before closed in place of an answer: most likely it was about to, unseen
  maybe,
};

class ClientExchangeHandler {
 public:
  // Interim (1xx) heads and then one final head. `end`: no body follows, and response_end will not be called.
  virtual void response_head(codec::ResponseHead&& head, bool end) = 0;
  virtual void response_body(std::string_view bytes) = 0;
  virtual void response_end(const codec::Headers& trailers) = 0;
  virtual void request_drained() = 0;
  virtual void exchange_finished() = 0;
  virtual void exchange_aborted(const Error& error, Delivery delivery) = 0;

 protected:
  ~ClientExchangeHandler() = default;
};

class ClientExchange {
 public:
  virtual void send_body(std::string_view bytes) = 0;
  virtual void send_end(const codec::Headers& trailers) = 0;
  // Gives up; no callback follows and the exchange is gone. HTTP/1 closes its connection.
  virtual void cancel() = 0;
  virtual void pause_body() = 0;
  virtual void resume_body() = 0;
  virtual bool writable() const = 0;

 protected:
  ~ClientExchange() = default;
};

}  // namespace weft::http
