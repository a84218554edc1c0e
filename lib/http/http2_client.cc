#include "http/http2_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/text.h"

namespace weft::http {

class Http2ClientConnection::Exchange final : public Http2Stream, public ClientExchange {
 public:
  Exchange(Http2ClientConnection& connection, codec::StreamId stream, bool end, bool connect,
           ClientExchangeHandler& handler)
      : Http2Stream(stream, connection.loop_.now(),
                    connect ? connection.options_.tunnel_idle_timeout : connection.options_.idle_timeout),
        connection_(connection),
        handler_(&handler),
        ended_(end) {}

  void head_arrived(codec::ResponseHead&& head, bool end) {
    touched = connection_.loop_.now();
    if (handler_ == nullptr) return;
    incoming_ended = incoming_told = end;
    answered_ = true;
    handler_->response_head(std::move(head), end);
  }
  void never_sent(const Error& error) { abort(error, Delivery::never); }
  void malformed(const Error& why) { abort(why, Delivery::maybe); }
  // Until the peer has said what it takes: nothing of it is sent.
  void wait(const codec::RequestHead& head, bool end) {
    waiting_ = std::make_unique<Waiting>(Waiting{head, end, {}, {}});
  }
  bool waits() const { return waiting_ != nullptr; }
  Result<codec::StreamId> send_head() { return connection_.session().request(waiting_->head, waiting_->end); }
  // What came behind the head while it waited.
  void send_rest() {
    const std::unique_ptr<Waiting> rest = std::move(waiting_);
    if (!rest->body.empty()) connection_.send_data(*this, rest->body);
    if (rest->trailers) return connection_.send_trailers(*this, *rest->trailers);
    if (handler_ != nullptr && writable()) handler_->request_drained();
  }

 private:
  struct Waiting {
    codec::RequestHead head;
    bool end;
    std::string body;
    std::optional<codec::Headers> trailers;
  };

  // ClientExchange
  void send_body(std::string_view bytes) override {
    if (!waits()) return connection_.send_data(*this, bytes);
    waiting_->body.append(bytes);
  }
  void send_end(const codec::Headers& fields) override {
    ended_ = true;
    if (!waits()) return connection_.send_trailers(*this, fields);
    waiting_->trailers = fields;
  }
  void cancel() override {
    handler_ = nullptr;
    waiting_.reset();
    if (!answered_) connection_.given_up();
    connection_.session().reset(id, codec::Http2Code::cancel);
    connection_.flush();
    connection_.forget_later(*this);
  }
  void pause_body() override { paused = true; }
  void resume_body() override { connection_.resume(*this); }
  bool writable() const override { return !waits() && connection_.has_room(*this); }

  // Http2Stream
  void body_arrived(std::string_view bytes) override {
    if (handler_ != nullptr) handler_->response_body(bytes);
  }
  void message_ended() override {
    if (handler_ != nullptr) handler_->response_end(trailers);
  }
  void outgoing_drained() override {
    if (handler_ != nullptr) handler_->request_drained();
  }
  void closed(codec::Http2Code code) override {
    // A server may have answered in full without reading the request to its end (RFC 9113 § 8.1).
    if (incoming_told && (ended_ || code == codec::Http2Code::no_error)) {
      if (handler_ != nullptr) std::exchange(handler_, nullptr)->exchange_finished();
      return;
    }
    const Error error{Code::closed, str_cat("the peer reset the request: ", codec::http2_code_name(code))};
    abort(error, code == codec::Http2Code::refused_stream ? Delivery::never : Delivery::maybe);
  }
  void broken(const Error& error) override {
    if (id < 0 || !connection_.session().head_sent(id)) return abort(error, Delivery::never);
    const bool soon = connection_.loop_.now() - touched < limits::close_race_window;
    abort(error, !answered_ && soon && connection_.closed_in_use(error) ? Delivery::raced : Delivery::maybe);
  }
  void abort(const Error& error, Delivery delivery) {
    if (handler_ != nullptr) std::exchange(handler_, nullptr)->exchange_aborted(error, delivery);
  }

  Http2ClientConnection& connection_;
  ClientExchangeHandler* handler_;
  std::unique_ptr<Waiting> waiting_;
  bool ended_;  // the request is
  bool answered_ = false;
};

Http2ClientConnection::Http2ClientConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                             ClientConnectionHandler& handler, const ClientOptions& options)
    : Http2Connection(loop, std::move(stream), codec::Http2Session::Role::client, options.limits,
                      options.idle_timeout, options.ping_when_silent, {}),
      owner_(handler),
      options_(options) {}

std::size_t Http2ClientConnection::requests_max() const {
  if (closed_ || draining_ || leaving_) return 0;
  const std::size_t most =
      session().heard_settings() ? limits::http2_streams_max : options_.requests_before_settings;
  return std::min<std::size_t>(session().requests_max(), most);
}

bool Http2ClientConnection::requests_max_known() const { return session().heard_settings(); }

bool Http2ClientConnection::ready() const { return streams_.size() < requests_max(); }

bool Http2ClientConnection::available() const {
  // Once in use, an idle peer has nothing to say but that it goes. At first its SETTINGS may be waiting.
  if (streams_.empty() && used_ && !transport_.stream().idle_and_open()) return false;
  return ready();
}

ClientExchange& Http2ClientConnection::request(const codec::RequestHead& head, bool end,
                                               ClientExchangeHandler& handler) {
  // RFC 8441 § 3: an extended CONNECT goes to a peer that has said that it takes one.
  const bool early = !head.protocol.empty() && !session().heard_settings();
  const auto id = early ? Result<codec::StreamId>(--unsent_) : session().request(head, end);
  auto owned =
      std::make_unique<Exchange>(*this, id ? *id : --unsent_, end, head.method == "CONNECT", handler);
  Exchange& exchange = *owned;
  if (early) exchange.wait(head, end);
  if (asked_at_ <= transport_.last_heard()) asked_at_ = loop_.now();
  add(std::move(owned));
  if (id) {
    flush();
  } else {
    loop_.defer(anchor_.guard([this, wanted = exchange.id, error = id.error()] {
      const auto found = streams_.find(wanted);
      if (found == streams_.end()) return;
      auto& refused = static_cast<Exchange&>(*found->second);
      refused.never_sent(error);
      forget(refused);
    }));
  }
  return exchange;
}

void Http2ClientConnection::http2_settings() {
  loop_.defer(anchor_.guard([this] { send_waiting(); }));
  tell_room_later();
}

// How many requests it takes has changed.
void Http2ClientConnection::tell_room_later() {
  loop_.defer(anchor_.guard([this] {
    if (!closed_) owner_.connection_available();
  }));
}

void Http2ClientConnection::send_waiting() {
  std::vector<codec::StreamId> waiting;
  for (const auto& [id, stream] : streams_) {
    if (static_cast<const Exchange&>(*stream).waits()) waiting.push_back(id);
  }
  std::sort(waiting.rbegin(), waiting.rend());  // as they came
  for (const codec::StreamId place : waiting) {
    const auto found = streams_.find(place);
    if (found == streams_.end()) continue;
    auto& exchange = static_cast<Exchange&>(*found->second);
    if (!exchange.waits()) continue;  // cancelled by what the one before was told
    const auto id = exchange.send_head();
    if (!id) {
      exchange.never_sent(id.error());
      forget(exchange);
      continue;
    }
    auto node = streams_.extract(found);
    node.key() = exchange.id = *id;
    streams_.insert(std::move(node));
    exchange.send_rest();
  }
  flush();
}

void Http2ClientConnection::http2_malformed(codec::StreamId id, const Error& why) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  auto& exchange = static_cast<Exchange&>(*found->second);
  exchange.malformed(why);
  forget(exchange);
}

void Http2ClientConnection::http2_response(codec::StreamId id, codec::ResponseHead&& head, bool end) {
  used_ = true;
  const auto found = streams_.find(id);
  if (found != streams_.end()) static_cast<Exchange&>(*found->second).head_arrived(std::move(head), end);
}

void Http2ClientConnection::http2_goaway(codec::StreamId, codec::Http2Code code, std::string_view) {
  leaving_ = told_to_go_ = true;
  accused_ = accused_ || code != codec::Http2Code::no_error;
  if (streams_.empty()) return shut_down();
  tell_room_later();
}

bool Http2ClientConnection::closed_in_use(const Error& error) const {
  const bool closed = error.code == Code::closed || error.code == Code::io;
  return used_ && closed && !accused_ && !session().fault();
}

// A request was cancelled without an answer. Where nothing was heard since it was sent the peer may be gone:
// others must not join it.
void Http2ClientConnection::given_up() {
  const MonotonicTime since = std::max(asked_at_, transport_.last_heard());
  if (loop_.now() - since >= limits::mesh_connect_timeout) leaving_ = true;
}

void Http2ClientConnection::stream_gone() {
  if (closed_) return;
  if (leaving_ && streams_.empty())
    shut_down();
  else
    owner_.connection_available();
}

void Http2ClientConnection::drain() {
  leaving_ = true;
  if (streams_.empty()) shut_down();
}

std::unique_ptr<ClientConnection> make_http2_client_connection(io::Loop& loop,
                                                               std::unique_ptr<io::Stream> stream,
                                                               ClientConnectionHandler& handler,
                                                               const ClientOptions& options) {
  return std::make_unique<Http2ClientConnection>(loop, std::move(stream), handler, options);
}

}  // namespace weft::http
