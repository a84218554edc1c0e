// One HTTP/2 connection (RFC 9113) as a pure state machine over nghttp2: bytes in, events out, and the other
// way round. No I/O and no clock. Single thread.
//
// Events come from inside feed() and produce(). A handler may call every method of the session in them but
// feed(), produce() and the destructor: what it submits leaves with the next produce().
//
// Flow control: the peer's windows open again only for what consume() was told, so a consumer that stops
// taking stops its stream, and the connection window has room for every stream to be stopped at once.
//
// A peer that floods (http2_limits.h) ends the connection with ENHANCE_YOUR_CALM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "codec/http2_code.h"
#include "codec/http2_data_scan.h"
#include "codec/http2_head.h"
#include "codec/http2_limits.h"
#include "codec/http2_order.h"
#include "codec/message.h"

struct nghttp2_session;

namespace weft::codec {

using StreamId = std::int32_t;

// Of one stream: head, data*, end, and at last `closed`, which may also come at any moment (reset) and comes
// exactly once for every stream that was begun by http2_request or request(). Streams still open when the
// connection itself is over (finished()) get no event: their owner knows.
class Http2Handler {
 public:
  // Server: a request begins. Client: an interim (1xx) or the final head. `end`: nothing follows, no
  // http2_end.
  virtual void http2_request(StreamId id, RequestHead&& head, bool end) = 0;
  virtual void http2_response(StreamId id, ResponseHead&& head, bool end) = 0;
  virtual void http2_data(StreamId id, std::string_view bytes) = 0;  // owes consume()
  virtual void http2_end(StreamId id, Headers&& trailers) = 0;
  // queued() fell below limits::write_low_bytes after it had been above limits::write_high_bytes.
  virtual void http2_drained(StreamId id) = 0;
  // refused_stream on a client is proof that the peer did nothing with the request.
  virtual void http2_closed(StreamId id, Http2Code code) = 0;
  // Client, in place of http2_closed: nobody reset the stream, what came on it is no response (RFC 9113
  // § 8.1.1).
  virtual void http2_malformed(StreamId id, const Error& /*why*/) {
    http2_closed(id, Http2Code::protocol_error);
  }
  // The peer will take no streams above `last`. Those are closed with refused_stream.
  virtual void http2_goaway(StreamId last, Http2Code code, std::string_view debug) = 0;
  virtual void http2_pong(std::uint64_t payload) = 0;
  virtual void http2_settings() {}  // the peer's came, and are in force
  // Server: a head came that makes no request, malformed or above the limits; its stream was reset.
  virtual void http2_refused(std::string_view /*why*/) {}

 protected:
  ~Http2Handler() = default;
};

struct Http2Options {
  unsigned streams_max = limits::http2_streams_max;  // that the peer may open
  std::size_t stream_window_bytes = limits::http2_stream_window_bytes;
  PeerLimits limits;  // heads without the overhead that HTTP/2 counts for each field
};

class Http2Session {
 public:
  enum class Role : std::uint8_t { client, server };

  // `handler` outlives the session.
  Http2Session(Role role, Http2Handler& handler, const Http2Options& options = {});
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;
  ~Http2Session();  // without events

  // Takes what the peer sent. `now` is what the limits per second are measured by.
  void feed(std::string_view bytes, MonotonicTime now);
  // The next bytes to send, empty when there are none now. They live until the next call.
  std::string_view produce();
  // Nothing more will be read or written: the connection may be closed.
  bool finished() const;
  // Why the connection broke down, when the peer broke the protocol or flooded.
  const std::optional<Error>& fault() const { return fault_; }

  // Client. Errors: closed (GOAWAY was sent or received), not_found (an extended CONNECT that the server does
  // not offer, or not yet: see heard_settings). The peer's limit of streams makes requests wait inside.
  Result<StreamId> request(const RequestHead& head, bool end);
  bool heard_settings() const { return heard_settings_; }
  // How many streams the peer takes at a time.
  std::size_t requests_max() const;
  // The peer has not taken what it was sent, on whatever stream, and grants less than a frame more: a further
  // body may wait for it.
  bool stalled() const;
  // False only as long as the head of a request waits inside.
  bool head_sent(StreamId id) const;
  // Server; interim heads first, then one final head.
  void respond(StreamId id, const ResponseHead& head, bool end);
  // The body, behind a head without `end`. A stream that is over ignores these.
  void send_data(StreamId id, std::string_view bytes);
  void send_end(StreamId id, const Headers& trailers);
  std::size_t queued(StreamId id) const;  // bytes of send_data not yet produced
  // Server: nobody reads what the peer still sends. Once the response is sent the stream is reset (RFC 9113
  // § 8.1); for all but tunnels this goes without saying.
  void abandon(StreamId id);
  // No more events of this stream but http2_closed. A stream that both sides have ended is left in peace.
  void reset(StreamId id, Http2Code code);
  // `bytes` of http2_data were taken. Also legal after the end of the stream.
  void consume(StreamId id, std::size_t bytes);

  void ping(std::uint64_t payload);
  // Graceful end: streams in flight finish. A server first says so, waits a round trip for what is under way,
  // and only then closes the door (RFC 9113 § 6.8).
  void shut_down();
  // Server: at once. What is on its way is not taken, and the peer is told so.
  void close_the_door();

  std::size_t streams() const { return streams_.size(); }

 private:
  friend struct Http2Callbacks;
  struct Stream;

  bool take(std::string_view bytes);
  Stream* find(StreamId id) const;
  void begin_stream(StreamId id);
  void head_complete(StreamId id, bool end);
  void data_arrived(StreamId id, std::string_view bytes);
  void end_arrived(StreamId id, Headers&& trailers);
  void stream_closed(StreamId id, std::uint32_t code);
  void count(Http2Limits::Event event);
  void reset_arrived(StreamId id);
  void check_order(StreamId id, bool may_begin);
  void malformed(StreamId id, std::string_view why);  // of a stream that is reset for it
  void end_with(Http2Code code, Error why);           // by a GOAWAY that says `code`
  void broke(int nghttp2_error);

  Role role_;
  Http2Handler& handler_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<StreamId, std::unique_ptr<Stream>> streams_;
  std::vector<StreamId> drained_;
  Http2Head incoming_;
  Http2Limits limits_;
  Http2Order order_;
  Http2DataScan data_scan_;
  MonotonicTime now_{};
  bool heard_settings_ = false;
  bool shutting_down_ = false;
  std::optional<StreamId> last_taken_;  // of a server that has closed the door: what its GOAWAY says
  bool busy_ = false;                   // inside feed() or produce()
  bool dead_ = false;
  std::optional<Error> fault_;
};

}  // namespace weft::codec
