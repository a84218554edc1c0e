#include "http/http2_server.h"

#include <optional>
#include <utility>

#include "base/text.h"
#include "codec/http2_request.h"

namespace weft::http {

class Http2ServerConnection::Exchange final : public Http2Stream, public ServerExchange {
 public:
  Exchange(Http2ServerConnection& connection, codec::StreamId stream, bool connect)
      : Http2Stream(stream, connection.loop_.now(), connection.options_.idle_timeout),
        connection_(connection),
        connect_(connect) {}
  void begin(ServerExchangeHandler& handler) { handler_ = &handler; }

 private:
  // ServerExchange
  void send_head(const codec::ResponseHead& head, bool end) override {
    if (ended_ || connection_.closed_) return;
    const bool final_head = head.status >= 200;
    ended_ = end && final_head;
    if (connect_ && final_head && head.status < 300) idle_limit = connection_.options_.tunnel_idle_timeout;
    connection_.session().respond(id, head, end);
    connection_.flush();
  }
  void send_body(std::string_view bytes) override { connection_.send_data(*this, bytes); }
  void send_end(const codec::Headers& fields) override {
    ended_ = true;
    connection_.send_trailers(*this, fields);
  }
  void reset(const Error& why) override {
    if (reset_) return;
    reset_ = why;
    connection_.session().reset(id, codec::Http2Code::internal_error);
    connection_.flush();
    // A caller that does not read must not keep it.
    connection_.loop_.defer(connection_.anchor_.guard([&connection = connection_, this, wanted = id] {
      if (!connection.streams_.contains(wanted)) return;
      broken(*reset_);
      connection.forget(*this);
    }));
  }
  void pause_body() override { paused = true; }
  void resume_body() override { connection_.resume(*this); }
  bool writable() const override { return connection_.has_room(*this); }
  void abandon_request() override {
    connection_.session().abandon(id);
    connection_.flush();
  }
  void close_after() override { connection_.shut_down(); }

  // Http2Stream
  void body_arrived(std::string_view bytes) override {
    if (handler_ != nullptr) handler_->request_body(bytes);
  }
  void message_ended() override {
    if (handler_ != nullptr) handler_->request_end(trailers);
  }
  void outgoing_drained() override {
    if (handler_ != nullptr) handler_->response_drained();
  }
  void closed(codec::Http2Code code) override {
    if (ended_ && code == codec::Http2Code::no_error) {
      if (handler_ != nullptr) std::exchange(handler_, nullptr)->exchange_finished();
    } else if (reset_) {
      broken(*reset_);
    } else {
      broken(Error{Code::closed, str_cat("the caller reset the request: ", codec::http2_code_name(code))});
    }
  }
  void broken(const Error& error) override {
    if (handler_ != nullptr) std::exchange(handler_, nullptr)->exchange_aborted(error);
  }

  Http2ServerConnection& connection_;
  ServerExchangeHandler* handler_ = nullptr;
  bool connect_;
  bool ended_ = false;  // the response is
  std::optional<Error> reset_;
};

Http2ServerConnection::Http2ServerConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                             ServerConnectionHandler& handler, const ServerOptions& options,
                                             std::string already_read)
    : Http2Connection(loop, std::move(stream), codec::Http2Session::Role::server, options.limits,
                      options.idle_timeout, options.ping_when_silent, std::move(already_read)),
      owner_(handler),
      options_(options) {}

void Http2ServerConnection::refuse_new() {
  shut_down();
  session().close_the_door();
  flush();
}

void Http2ServerConnection::http2_request(codec::StreamId id, codec::RequestHead&& head, bool end) {
  if (const Status normal = codec::normalise_http2_request(head); !normal) return refuse(id, normal.error());
  auto owned = std::make_unique<Exchange>(*this, id, head.method == "CONNECT");
  Exchange& exchange = *owned;
  exchange.incoming_ended = exchange.incoming_told = end;
  add(std::move(owned));
  exchange.begin(owner_.request_begins(exchange, std::move(head), end));
}

void Http2ServerConnection::http2_refused(std::string_view why) {
  if (options_.refusals != nullptr) options_.refusals->request_reset(why);
}

// The stream is well-formed HTTP/2 and answers for itself; the connection goes on.
void Http2ServerConnection::refuse(codec::StreamId id, const Error& error) {
  codec::ResponseHead reply;
  reply.status = 400;
  reply.headers.add("content-type", "text/plain");
  const std::string body = str_cat(error.message, "\n");
  reply.headers.add("content-length", std::to_string(body.size()));
  if (options_.refusals != nullptr) options_.refusals->request_refused({400, error.message}, reply);
  session().respond(id, reply, false);
  session().send_data(id, body);
  session().send_end(id, {});
  flush();
}

std::unique_ptr<ServerConnection> make_http2_server_connection(io::Loop& loop,
                                                               std::unique_ptr<io::Stream> stream,
                                                               ServerConnectionHandler& handler,
                                                               const ServerOptions& options,
                                                               std::string already_read) {
  return std::make_unique<Http2ServerConnection>(loop, std::move(stream), handler, options,
                                                 std::move(already_read));
}

}  // namespace weft::http
