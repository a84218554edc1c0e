// A gRPC client: calls over one HTTP/2 connection, made when the first call needs it, made again (with
// back-off) when a later call does. How to connect, TLS included, is the owner's function. Lives on one
// loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/backoff.h"
#include "base/callback.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/result.h"
#include "codec/grpc_frame.h"
#include "codec/message.h"
#include "io/loop.h"

namespace weft::http {

class GrpcChannelCore;

// What a unary call came back with, whatever the status.
struct GrpcReply {
  codec::GrpcStatus status;
  std::string message;      // the reply's bytes; empty unless the status is ok
  codec::Headers metadata;  // custom response metadata and trailers
};

// A unary call in flight. Destroying it cancels: `done` will not run.
class GrpcCall {
 public:
  virtual ~GrpcCall() = default;
};

class GrpcClientStreamHandler {
 public:
  // The server accepted the call: its response head arrived.
  virtual void grpc_opened() = 0;
  virtual void grpc_message(std::string_view bytes) = 0;
  // The stream is writable again after it had not been.
  virtual void grpc_drained() = 0;
  // The call is over, last callback, exactly once. A status: the server ended it so (perhaps ok). An error:
  // no connection, connection lost, reset, deadline; the message names the target. The stream may be
  // destroyed in it.
  virtual void grpc_closed(const Result<codec::GrpcStatus>& how) = 0;

 protected:
  ~GrpcClientStreamHandler() = default;
};

// A streaming call in flight. Destroying it cancels: no callback follows.
class GrpcClientStream {
 public:
  virtual ~GrpcClientStream() = default;
  // Queues a message, also while the connection is still being made. Ignored after half_close() and the end.
  virtual void send(std::string_view message) = 0;
  virtual bool writable() const = 0;
  virtual void half_close() = 0;
  // No grpc_message() until resume(); the server is held back by flow control.
  virtual void pause() = 0;
  virtual void resume() = 0;
};

struct GrpcChannelOptions {
  std::string target;     // for errors and the log: "CA weft-ca.weft-system:15012"
  std::string authority;  // :authority of the requests: "weft-ca.weft-system:15012"
  std::string scheme = "https";
  std::size_t message_bytes_max = limits::grpc_message_bytes_max;
  Duration connect_timeout = std::chrono::seconds(10);  // all that `connect` does
  Duration backoff_first = std::chrono::milliseconds(200);
  Duration backoff_longest = std::chrono::seconds(15);
  // While calls are open: a connection silent for the interval is pinged and given up when it stays so for
  // the time-out; their sum is how long a dead peer goes unnoticed. The interval grows when the server asks
  // for calm.
  Duration keepalive_interval = std::chrono::seconds(10);
  Duration keepalive_timeout = std::chrono::seconds(10);
};

class GrpcChannel {
 public:
  enum class State : std::uint8_t { idle, connecting, ready, backing_off };
  using ConnectDone = Function<void(Result<std::unique_ptr<io::Stream>>)>;
  // Starts one attempt and calls `done` once with a stream that is ready for HTTP/2 (after TLS); destroying
  // what it returned cancels.
  using Connect = Function<std::unique_ptr<io::Connecting>(ConnectDone done)>;
  // `error` says why, for backing_off and for idle after a lost connection; otherwise null. Never inline in a
  // call of the channel's own methods.
  using StateChanged = Function<void(State state, const Error* error)>;

  GrpcChannel(io::Loop& loop, Random& random, GrpcChannelOptions options, Connect connect,
              StateChanged state_changed = nullptr);
  GrpcChannel(const GrpcChannel&) = delete;
  GrpcChannel& operator=(const GrpcChannel&) = delete;
  ~GrpcChannel();  // closes the connection; calls in flight end without a callback

  // `done` runs exactly once, never inline, unless the returned call is destroyed first. A reply: the server
  // answered, perhaps with an error status. An error: it did not (unavailable, timeout, closed, invalid,
  // limit); the message names the target. `timeout` counts from now, connecting included. A call made while
  // the channel backs off waits for the next attempt and fails with it.
  [[nodiscard]] std::unique_ptr<GrpcCall> call(std::string_view method, const codec::Headers& metadata,
                                               std::string_view message, Duration timeout,
                                               Function<void(Result<GrpcReply>)> done);

  // `handler` outlives the returned stream. Without a time-out the stream lives until either side ends it.
  [[nodiscard]] std::unique_ptr<GrpcClientStream> open(std::string_view method,
                                                       const codec::Headers& metadata,
                                                       GrpcClientStreamHandler& handler,
                                                       std::optional<Duration> timeout = std::nullopt);

  State state() const;
  // Lets the present connection go once its calls are over, so that the next call makes a new one: after the
  // own certificate was renewed, say.
  void renew_connection();

 private:
  std::unique_ptr<GrpcChannelCore> core_;
};

}  // namespace weft::http
