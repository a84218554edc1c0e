// What the two ends of HTTP/2 share: streams whose incoming half can be paused, back-pressure by the windows,
// an idle deadline for each stream, and the end of the connection. "Incoming" is the request on a server and
// the response on a client.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/callback.h"
#include "codec/http2.h"
#include "http/deadline.h"
#include "http/http2_transport.h"
#include "io/loop.h"
#include "io/stream.h"

namespace weft::http {

// One exchange. It dies at the end of the turn in which it was told that it is over, or was forgotten.
class Http2Stream {
 public:
  Http2Stream(codec::StreamId stream_id, MonotonicTime now, Duration idle)
      : id(stream_id), touched(now), idle_limit(idle) {}
  virtual ~Http2Stream() = default;
  virtual void body_arrived(std::string_view bytes) = 0;
  virtual void message_ended() = 0;  // see `trailers`
  virtual void outgoing_drained() = 0;
  virtual void closed(codec::Http2Code code) = 0;  // by the session
  virtual void broken(const Error& error) = 0;     // with the connection, or by its idle limit

  codec::StreamId id;  // of a request that waits to be sent: below zero, and nobody's
  MonotonicTime touched;
  Duration idle_limit;
  // The incoming half.
  bool paused = false;
  bool incoming_ended = false;  // it has all arrived
  bool incoming_told = false;   // and its taker knows
  bool session_closed = false;  // only the taker's pace keeps it
  std::string held;             // what arrived while the taker paused: at most a window
  std::size_t owed = 0;         // bytes to be given back to the window
  codec::Headers trailers;
};

class Http2Connection : protected codec::Http2Handler {
 protected:
  Http2Connection(io::Loop& loop, std::unique_ptr<io::Stream> stream, codec::Http2Session::Role role,
                  const codec::PeerLimits& limits, Duration idle_timeout, bool ping_when_silent,
                  std::string already_read);
  ~Http2Connection() = default;

  // ---- what a server and a client do differently ----

  virtual void stream_gone() = 0;  // one less in streams_
  virtual void tell_closed(const Error* error) = 0;

  // ---- what they do alike ----

  void http2_data(codec::StreamId id, std::string_view bytes) override;
  void http2_end(codec::StreamId id, codec::Headers&& trailers) override;
  void http2_drained(codec::StreamId id) override;
  void http2_closed(codec::StreamId id, codec::Http2Code code) override;
  void http2_pong(std::uint64_t) override {}

  codec::Http2Session& session() { return transport_.session(); }
  const codec::Http2Session& session() const { return transport_.session(); }
  bool has_room(const Http2Stream& stream) const;
  void send_data(Http2Stream& stream, std::string_view bytes);
  void send_trailers(Http2Stream& stream, const codec::Headers& trailers);
  void resume(Http2Stream& stream);
  void add(std::unique_ptr<Http2Stream> stream);
  // No event reaches it any more.
  void forget(Http2Stream& stream);
  void forget_later(const Http2Stream& stream);
  void flush() { transport_.flush(); }
  // Graceful: streams under way finish.
  void shut_down();

  io::Loop& loop_;
  std::unordered_map<codec::StreamId, std::unique_ptr<Http2Stream>> streams_;
  bool draining_ = false;
  bool closed_ = false;  // the transport is; streams may wait for their takers still

 private:
  Http2Stream* find(codec::StreamId id) const;
  void touch(Http2Stream& stream) { stream.touched = loop_.now(); }
  void give_back(Http2Stream& stream);
  void deliver_held(codec::StreamId id);
  void tell_end(Http2Stream& stream);
  void finish(Http2Stream& stream, codec::Http2Code code);
  void transport_closed(const Error* error);
  void look_for_idle();

  codec::Http2Session::Role role_;
  Duration idle_timeout_;
  MonotonicTime quiet_since_;                // no stream since
  MonotonicTime leave_by_;                   // a peer that was told to go
  std::unique_ptr<io::Timer> notice_timer_;  // of a server: how long it may take to say that it heard so
  std::optional<Error> why_closed_;

 protected:
  Http2Transport transport_;

 private:
  Deadline deadline_;

 protected:
  Anchor anchor_;
};

}  // namespace weft::http
