// A gRPC server over HTTP/2: unary and bidirectional-streaming methods, grpc.health.v1.Health built in.
// Messages are byte strings; what they mean is the component's. One server lives on one loop's thread; a
// program with several workers has one each. The caller listens and does TLS, and hands in ready streams.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/callback.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/spiffe_id.h"
#include "codec/grpc_frame.h"
#include "codec/message.h"
#include "io/loop.h"

namespace weft::http {

class GrpcHealth;
class GrpcServerConnection;
struct GrpcServerCall;

// Who is at the other end of a connection, as the caller of accept() verified it.
struct GrpcPeer {
  Address address;
  std::optional<SpiffeId> identity;  // nothing: no client certificate
};

// What a handler knows of its call, besides the messages.
struct GrpcRequest {
  std::string method;       // "/weft.v1.Discovery/Stream"
  codec::Headers metadata;  // custom metadata ("authorization", …) as it came, without the protocol's own
  std::shared_ptr<const GrpcPeer> peer;
  std::optional<MonotonicTime> deadline;
};

// The answer to one unary call, owed exactly once: now or later, but on the loop's thread. Dropped without an
// answer it says INTERNAL. It may outlive call, connection and server; an answer nobody waits for goes
// nowhere.
class GrpcResponder {
 public:
  explicit GrpcResponder(std::weak_ptr<GrpcServerCall> call) : call_(std::move(call)) {}
  GrpcResponder(GrpcResponder&&) = default;
  GrpcResponder& operator=(GrpcResponder&&) = delete;
  ~GrpcResponder();

  void reply(std::string_view message);
  void fail(codec::GrpcStatus status);  // REQUIRES: status is not ok
  // False once answered, cancelled by the caller, past the deadline, or when the connection is gone.
  bool active() const;

 private:
  std::weak_ptr<GrpcServerCall> call_;
};

using GrpcUnaryHandler =
    Function<void(const GrpcRequest& request, std::string_view message, GrpcResponder responder)>;

// The sending half of a streaming call. Valid until its handler's closed() returns, or the handler is
// destroyed.
class GrpcServerStream {
 public:
  // Queues a message. Stop when writable() is false; the handler's drained() says when to go on. After
  // finish() or the end of the call: ignored.
  virtual void send(std::string_view message) = 0;
  virtual bool writable() const = 0;
  // Ends the call behind what was sent; closed() follows in a later turn. Idempotent.
  virtual void finish(codec::GrpcStatus status) = 0;
  // No message() or half_closed() until resume(); the peer is held back by flow control.
  virtual void pause() = 0;
  virtual void resume() = 0;

 protected:
  ~GrpcServerStream() = default;
};

// One streaming call's receiving half, written by the component and owned by the server. No callback runs
// inside a call of GrpcServerStream's methods. The server destroys the handler after closed(); when the
// server itself is destroyed, handlers die without closed(). So what must happen at the end belongs into the
// destructor.
class GrpcStreamHandler {
 public:
  virtual ~GrpcStreamHandler() = default;
  virtual void message(std::string_view bytes) = 0;
  // The caller will send no more; the answer may go on.
  virtual void half_closed() = 0;
  virtual void drained() = 0;
  // The call is over, exactly once: `status` is what finish() said, or CANCELLED, DEADLINE_EXCEEDED,
  // UNAVAILABLE … as it came from outside.
  virtual void closed(const codec::GrpcStatus& status) = 0;
};

// Makes the handler of a new call; `stream` is for the handler to keep. May call stream.finish() at once.
using GrpcStreamFactory =
    Function<std::unique_ptr<GrpcStreamHandler>(const GrpcRequest& request, GrpcServerStream& stream)>;

struct GrpcServerOptions {
  std::size_t message_bytes_max = limits::grpc_message_bytes_max;
  unsigned streams_max = limits::http2_streams_max;  // a connection
  // A connection that was silent for the interval is pinged, and closed when it stays so for the time-out.
  Duration keepalive_interval = std::chrono::seconds(10);
  Duration keepalive_timeout = std::chrono::seconds(10);
  // A connection without calls is told to go after this.
  Duration idle_timeout = limits::http_idle_timeout;
};

class GrpcServer {
 public:
  explicit GrpcServer(io::Loop& loop, GrpcServerOptions options = {});
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;
  ~GrpcServer();  // closes everything at once; not from inside a handler (use Loop::delete_later)

  // `method` is "/package.Service/Method". Its service then counts as SERVING for the health service.
  // REQUIRES: not added yet.
  void add_unary(std::string_view method, GrpcUnaryHandler handler);
  void add_stream(std::string_view method, GrpcStreamFactory factory);
  // Health of a service, or of the whole server: "". All are SERVING until said otherwise, and not after
  // drain().
  void set_serving(std::string_view service, bool serving);

  // Serves gRPC on a connected stream (after TLS). The server owns it from here.
  void accept(std::unique_ptr<io::Stream> stream, GrpcPeer peer);

  // Tells every connection to go elsewhere (GOAWAY) and refuses new calls; calls in flight may finish within
  // `grace`, then they are cut. `done` runs exactly once, never inline, when no connection is left. Once
  // only.
  void drain(Duration grace, Function<void()> done);

  std::size_t connections() const { return connections_.size(); }

 private:
  friend class GrpcServerConnection;
  struct Method {
    GrpcUnaryHandler unary;
    GrpcStreamFactory stream;
  };

  const Method* find(std::string_view path) const;
  void add(std::string_view path, Method method);
  void connection_closed(GrpcServerConnection& connection);
  void drained_if_empty();

  io::Loop& loop_;
  GrpcServerOptions options_;
  std::map<std::string, Method, std::less<>> methods_;
  std::unique_ptr<GrpcHealth> health_;
  std::vector<std::unique_ptr<GrpcServerConnection>> connections_;
  bool draining_ = false;
  std::unique_ptr<io::Timer> grace_timer_;
  Function<void()> drain_done_;
  Anchor anchor_;
};

}  // namespace weft::http
