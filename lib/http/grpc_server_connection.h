// Inside of GrpcServer: one connection and its calls. Not for components: grpc_server.h is the interface.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "codec/http2.h"
#include "http/grpc_inbound.h"
#include "http/grpc_server.h"
#include "http/http2_transport.h"

namespace weft::http {

// One call. Shared by its connection and, weakly, by the responder; `connection` is null once it is over.
struct GrpcServerCall final : GrpcServerStream {
  GrpcServerCall(GrpcServerConnection& owner, codec::StreamId stream_id, std::size_t message_bytes_max)
      : connection(&owner), id(stream_id), inbound(message_bytes_max) {}

  void send(std::string_view message) override;
  bool writable() const override;
  void finish(codec::GrpcStatus status) override;
  void pause() override { inbound.pause(); }
  void resume() override;

  void reply(std::string_view message);  // of a unary call
  void send_head();

  GrpcServerConnection* connection;
  codec::StreamId id;
  GrpcRequest request;
  const GrpcUnaryHandler* unary = nullptr;  // null: a streaming call
  std::unique_ptr<GrpcStreamHandler> handler;
  GrpcInbound inbound;
  std::optional<std::string> message;        // of a unary call, until its end arrives
  std::optional<codec::GrpcStatus> outcome;  // what finish() said
  std::unique_ptr<io::Timer> deadline;
  bool head_sent = false;
  bool half_closed = false;  // the caller's END_STREAM arrived
  bool half_closed_told = false;
};

class GrpcServerConnection final : private codec::Http2Handler {
 public:
  GrpcServerConnection(GrpcServer& server, std::unique_ptr<io::Stream> stream, GrpcPeer peer);
  ~GrpcServerConnection();  // handlers die without closed()

  void shut_down();
  void abort(Error why) { transport_.abort(std::move(why)); }

 private:
  friend struct GrpcServerCall;

  void http2_request(codec::StreamId id, codec::RequestHead&& head, bool end) override;
  void http2_response(codec::StreamId, codec::ResponseHead&&, bool) override {}
  void http2_data(codec::StreamId id, std::string_view bytes) override;
  void http2_end(codec::StreamId id, codec::Headers&& trailers) override;
  void http2_drained(codec::StreamId id) override;
  void http2_closed(codec::StreamId id, codec::Http2Code code) override;
  void http2_goaway(codec::StreamId, codec::Http2Code, std::string_view) override {}
  void http2_pong(std::uint64_t) override {}

  // Fills call.request; a status refuses the call.
  codec::GrpcStatus read_head(GrpcServerCall& call, codec::RequestHead&& head);
  void begin(const std::shared_ptr<GrpcServerCall>& call);
  void deliver(const std::shared_ptr<GrpcServerCall>& call, std::string_view bytes);
  void take(const std::shared_ptr<GrpcServerCall>& call, std::string_view message);
  void tell_half_closed(const std::shared_ptr<GrpcServerCall>& call);
  void deliver_later(GrpcServerCall& call);
  void deadline_passed(codec::StreamId id);
  void end_call(GrpcServerCall& call, const codec::GrpcStatus& status);
  void transport_closed(const Error* error);
  void idle_fired();
  std::shared_ptr<GrpcServerCall> find(codec::StreamId id) const;

  GrpcServer& server_;
  std::shared_ptr<const GrpcPeer> peer_;
  std::unordered_map<codec::StreamId, std::shared_ptr<GrpcServerCall>> calls_;
  bool leaving_ = false;
  Http2Transport transport_;
  std::unique_ptr<io::Timer> idle_timer_;
  Anchor anchor_;
};

}  // namespace weft::http
