// An io::Stream and an Http2Session joined, with keep-alive. Owned by the connection that is the session's
// handler. Lives on its loop's thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "base/clock.h"
#include "codec/http2.h"
#include "io/loop.h"

namespace weft::http {

struct Http2TransportOptions {
  codec::Http2Session::Role role = codec::Http2Session::Role::client;
  unsigned streams_max = limits::http2_streams_max;
  codec::PeerLimits limits = {};
  Duration keepalive_interval{};  // zero: the peer is never pinged
  Duration keepalive_timeout{};
  std::string already_read = {};  // by whoever found out that this is HTTP/2
};

class Http2Transport final : private io::StreamHandler {
 public:
  // `closed` runs once, when the connection is over, never inside a call of the transport's own methods; null
  // when it ended in good order. Streams then still open get no event. The transport must not be destroyed in
  // it.
  Http2Transport(io::Loop& loop, std::unique_ptr<io::Stream> stream, codec::Http2Handler& handler,
                 const Http2TransportOptions& options, Function<void(const Error*)> closed);

  codec::Http2Session& session() { return session_; }
  const codec::Http2Session& session() const { return session_; }
  io::Stream& stream() { return *stream_; }
  const io::Stream& stream() const { return *stream_; }
  // Sends at the end of this turn what the session has to send. After anything that was submitted outside an
  // event.
  void flush();
  // Pings a peer that is silent and takes nothing, as long as `on`. One that does not answer ends the
  // connection with Code::unavailable.
  void keep_alive(bool on);
  // Ends the connection now; `closed` follows.
  void abort(Error why);
  // The last byte of the peer; or when keep_alive() began, if that is later.
  MonotonicTime last_heard() const { return last_heard_; }
  // Inside an event: must not be destroyed now.
  bool busy() const { return busy_ > 0; }

 private:
  void stream_data(std::string_view bytes) override;
  void stream_end() override;
  void stream_drained() override;
  void stream_failed(const Error& error) override;

  void feed(std::string_view bytes);
  void write_out();
  void finish();
  void lingered();
  void close(const Error* error);
  void sign_of_life();
  void keepalive_fired();

  io::Loop& loop_;
  std::unique_ptr<io::Stream> stream_;
  std::string early_;  // goes in front of what the stream delivers
  Duration keepalive_interval_;
  Duration keepalive_timeout_;
  Function<void(const Error*)> closed_;
  codec::Http2Session session_;
  std::unique_ptr<io::Timer> keepalive_timer_;
  std::unique_ptr<io::Timer> linger_timer_;
  MonotonicTime last_heard_;
  MonotonicTime alive_at_;  // the last byte of the peer, or that what we wrote left
  int busy_ = 0;
  bool pinged_ = false;
  bool flush_scheduled_ = false;
  bool finishing_ = false;  // all is said; waits for the last bytes to leave
  bool all_left_ = false;   // and they did
  bool over_ = false;
  Anchor anchor_;
};

}  // namespace weft::http
