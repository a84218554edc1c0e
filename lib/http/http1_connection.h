// What the two ends of HTTP/1 share: reading messages in order from a stream that may be paused, framing the
// message that goes out, the deadline, and the end of the connection. "Incoming" is the request on a server
// and the response on a client; "outgoing" is the other.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "codec/http1.h"
#include "codec/http1_serializer.h"
#include "http/deadline.h"
#include "io/loop.h"
#include "io/stream.h"

namespace weft::http {

class Http1Connection : protected io::StreamHandler {
 protected:
  enum class Phase : std::uint8_t {
    idle,      // no exchange; a server may have a part of a request head
    exchange,  // from the head to exchange_finished or exchange_aborted
    closing,   // the last exchange is over; waits for the last bytes to leave, a server also for the peer's
    closed,
  };
  enum class Incoming : std::uint8_t {
    message,
    held,  // CONNECT or Upgrade on a server: what follows depends on the answer
    tunnel,
    complete,
  };
  enum class Outgoing : std::uint8_t {
    waiting,  // for the head
    held,     // CONNECT or Upgrade on a client: nothing is sent before the answer
    length,
    chunked,
    until_close,
    no_body,
    tunnel,
    complete,
  };

  Http1Connection(io::Loop& loop, std::unique_ptr<io::Stream> stream, codec::Http1Parser::Role role,
                  const codec::PeerLimits& limits);
  ~Http1Connection() = default;

  // ---- what a server and a client do differently ----

  virtual void head_arrived() = 0;
  virtual void body_arrived(std::string_view bytes) = 0;
  virtual void message_ended(const codec::Headers& trailers) = 0;
  virtual void malformed(const codec::Http1Error& error) = 0;
  virtual bool can_read() const;
  // read() takes no more of what is there: keep() or drop `rest`, which may be empty.
  virtual void reading_stopped(std::string_view rest) = 0;
  // The peer's FIN, once everything in front of it is taken.
  virtual void peer_ended_in_order() = 0;

  virtual void write(std::string_view bytes) { stream_->write(bytes); }
  virtual void outgoing_drained() = 0;
  // Where the outgoing body and its Content-Length differ; `how`: "longer" or "shorter".
  virtual Error length_mismatch(std::string_view how) const = 0;

  // Whether both messages are over as far as they will ever be; finish() follows at the end of the turn.
  virtual bool exchange_complete() const = 0;
  virtual void finish() = 0;
  // While `closing`: closed() once nothing is left to wait for.
  virtual void close_if_over() = 0;
  // Breaks the stream off and tells the exchange of failure_.
  virtual void abort_exchange() = 0;
  virtual void tell_closed(const Error* error) = 0;

  virtual void touch() = 0;  // bytes went one way or the other: pushes the deadline back
  virtual void deadline_reached() = 0;

  // ---- what they do alike ----

  void stream_data(std::string_view bytes) override;
  void stream_end() override;
  void stream_drained() override;

  void keep(std::string_view rest);  // for read_pending()
  void read_pending();
  void read_later();
  void unpause();
  void skip_implied_end();  // of a message whose head says that it has no body
  codec::Headers take_trailers();
  // The incoming message, or its direction of a tunnel, is over.
  void end_incoming(const codec::Headers& trailers);

  void write_body(std::string_view bytes);
  void write_end(const codec::Headers& trailers);

  void finish_if_complete();
  void end_stream();
  void give_up_closing();
  void fail(const Error& error);
  void closed(const Error* error);

 private:
  void read(std::string_view bytes);
  void die();

 protected:
  io::Loop& loop_;
  std::unique_ptr<io::Stream> stream_;
  codec::Http1Parser parser_;
  std::string input_;  // read, and not taken yet; the stream is paused while there is some
  std::uint64_t outgoing_remaining_ = 0;
  Error failure_;
  Phase phase_ = Phase::idle;
  Incoming incoming_ = Incoming::complete;
  Outgoing outgoing_ = Outgoing::complete;
  bool connect_ = false;
  bool draining_ = false;
  bool paused_ = false;
  bool peer_ended_ = false;
  bool ended_ = false;     // end_stream() was called
  bool end_sent_ = false;  // and our FIN has left
  bool read_scheduled_ = false;
  bool finish_scheduled_ = false;
  bool failing_ = false;
  Deadline deadline_;
  Anchor anchor_;
};

constexpr std::uint64_t invalid_length = ~std::uint64_t{0};
// The value of Content-Length: nothing without one, invalid_length where it is no number.
std::optional<std::uint64_t> content_length(const codec::Headers& headers);

}  // namespace weft::http
