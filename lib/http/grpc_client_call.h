// Inside of GrpcChannel: one call and one connection. Not for components: grpc_client.h is the interface.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "codec/http2.h"
#include "http/grpc_client.h"
#include "http/grpc_inbound.h"
#include "http/http2_transport.h"

namespace weft::http {

class GrpcClientConnection;

// Whom a call tells what happens; of a unary call or a streaming one. After call_over nothing more comes, and
// the events may then be gone.
class GrpcCallEvents {
 public:
  virtual ~GrpcCallEvents() = default;
  virtual void call_opened(const codec::Headers& metadata) = 0;
  virtual void call_message(std::string_view bytes) = 0;
  virtual void call_drained() = 0;
  virtual void call_over(const Result<codec::GrpcStatus>& how, const codec::Headers& trailers) = 0;
};

// One call, from before there is a connection until it is over. Shared by the handle that its owner holds and
// by whoever carries it: the channel while it waits, then its connection.
class GrpcClientCall final : public std::enable_shared_from_this<GrpcClientCall> {
 public:
  GrpcClientCall(io::Loop& loop, const GrpcChannelOptions& options, std::string method,
                 codec::Headers metadata, std::unique_ptr<GrpcCallEvents> events);

  void set_timeout(Duration timeout);
  // Sends the head and what was queued meanwhile.
  void start(GrpcClientConnection& connection);
  void send(std::string_view message);
  bool writable() const;
  void half_close();
  void pause() { inbound_.pause(); }
  void resume();
  // The owner lost interest: no more events.
  void cancel();
  // Ends the call with an error that gets target and method in front.
  void fail_call(const Error& error);
  bool over() const { return events_ == nullptr; }
  // The channel is gone: no more events.
  void abandon();

 private:
  friend class GrpcClientConnection;

  void response(codec::ResponseHead&& head, bool end);
  void data(std::string_view bytes);
  void end(const codec::Headers& trailers);
  void drained();
  void reset(codec::Http2Code code);
  void deliver(std::string_view bytes);
  void deliver_end();
  void timed_out();
  void finish(const Result<codec::GrpcStatus>& how, const codec::Headers& trailers);
  void let_go();
  std::size_t queued_bytes() const;
  codec::RequestHead request_head() const;

  io::Loop& loop_;
  const std::string target_;
  const std::string authority_;
  const std::string scheme_;
  const std::string method_;
  codec::Headers metadata_;
  std::unique_ptr<GrpcCallEvents> events_;  // null: over
  GrpcInbound inbound_;
  std::string queued_;  // frames from before there was a connection
  GrpcClientConnection* connection_ = nullptr;
  codec::StreamId id_ = 0;
  std::optional<MonotonicTime> deadline_;
  Duration timeout_{};
  std::unique_ptr<io::Timer> timer_;
  std::optional<codec::Headers> trailers_;  // END_STREAM arrived; told once every message before it is
  int http_status_ = 0;
  bool half_closed_ = false;
  Anchor anchor_;
};

class GrpcClientConnection final : private codec::Http2Handler {
 public:
  // What the channel wants to know. It outlives the connection, or drop()s it.
  class Owner {
   public:
    virtual void connection_proved() = 0;      // the server answered a call
    virtual void connection_wants_calm() = 0;  // the server finds the keep-alive too eager
    // No new calls on it. `lost`: it broke or was closed; null: the server said GOAWAY.
    virtual void connection_leaving(GrpcClientConnection& connection, const Error* lost) = 0;
    // After every call was told.
    virtual void connection_over(GrpcClientConnection& connection) = 0;

   protected:
    ~Owner() = default;
  };

  GrpcClientConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream, const GrpcChannelOptions& options,
                       Duration keepalive_interval, Owner& owner);
  ~GrpcClientConnection();

  // False when the connection takes no more calls.
  bool begin(const std::shared_ptr<GrpcClientCall>& call, const codec::RequestHead& head,
             codec::StreamId& id);
  void forget(codec::StreamId id);  // that call is over
  codec::Http2Session& session() { return transport_.session(); }
  void flush() { transport_.flush(); }
  // Lets calls in flight finish and then closes.
  void shut_down();
  // No more events, neither to calls nor to the owner.
  void drop();
  bool proved() const { return proved_; }
  bool busy() const { return transport_.busy(); }

 private:
  void http2_request(codec::StreamId, codec::RequestHead&&, bool) override {}
  void http2_response(codec::StreamId id, codec::ResponseHead&& head, bool end) override;
  void http2_data(codec::StreamId id, std::string_view bytes) override;
  void http2_end(codec::StreamId id, codec::Headers&& trailers) override;
  void http2_drained(codec::StreamId id) override;
  void http2_closed(codec::StreamId id, codec::Http2Code code) override;
  void http2_goaway(codec::StreamId last, codec::Http2Code code, std::string_view debug) override;
  void http2_pong(std::uint64_t) override {}

  std::shared_ptr<GrpcClientCall> find(codec::StreamId id) const;
  void transport_closed(const Error* error);

  Owner* owner_;
  std::unordered_map<codec::StreamId, std::shared_ptr<GrpcClientCall>> calls_;
  bool proved_ = false;
  Http2Transport transport_;
};

}  // namespace weft::http
