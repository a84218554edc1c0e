#include "http/http1_server.h"

#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace weft::http {
namespace {

constexpr std::uint64_t invalid_length = ~std::uint64_t{0};

}  // namespace

Http1ServerConnection::Http1ServerConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                             ServerConnectionHandler& handler, const ServerOptions& options,
                                             std::string already_read)
    : loop_(loop),
      stream_(std::move(stream)),
      owner_(handler),
      options_(options),
      parser_(codec::Http1Parser::Role::request, options.limits),
      input_(std::move(already_read)),
      deadline_(loop, [this] { deadline_reached(); }) {
  touch();
  stream_->start(*this);
  if (!input_.empty()) read_later();
}

// ---- bytes that come in ----

bool Http1ServerConnection::can_read() const {
  if (failing_) return false;
  if (phase_ == Phase::idle) return true;
  return phase_ == Phase::exchange && !paused_ && !finish_scheduled_ &&
         (request_ == Request::body || request_ == Request::tunnel);
}

void Http1ServerConnection::stream_data(std::string_view bytes) {
  if (failing_ || phase_ == Phase::closing || phase_ == Phase::closed)
    return;  // read, so that no reset is sent
  touch();
  if (!input_.empty() || !can_read()) {
    input_.append(bytes);
    stream_->pause();
    return;
  }
  read(bytes);
}

// Takes what it can of `bytes`, which is all that is there, and keeps the rest.
void Http1ServerConnection::read(std::string_view bytes) {
  const auto alive = anchor_.watch();
  while (can_read()) {
    if (request_ == Request::tunnel && phase_ == Phase::exchange) {
      if (bytes.empty()) break;
      exchange_->request_body(std::exchange(bytes, {}));
      if (!alive()) return;
      continue;
    }
    const codec::Http1Event event = parser_.next(bytes);
    if (event.kind == codec::Http1Event::Kind::need_more) break;
    switch (event.kind) {
      case codec::Http1Event::Kind::head:
        request_begins();
        break;
      case codec::Http1Event::Kind::body:
        exchange_->request_body(event.body);
        break;
      case codec::Http1Event::Kind::end:
        request_ends();
        break;
      case codec::Http1Event::Kind::error:
        return refuse(parser_.error());
      case codec::Http1Event::Kind::need_more:
        break;
    }
    if (!alive()) return;
  }
  if (phase_ == Phase::idle && parser_.started() && !head_timer_) {
    head_timer_ = true;
    deadline_.set(options_.header_timeout);
  }
  if (!bytes.empty() && phase_ != Phase::closing) {
    input_ = std::string(bytes);
    stream_->pause();
  }
}

void Http1ServerConnection::read_pending() {
  if (!can_read()) return;
  const auto alive = anchor_.watch();
  const std::string bytes = std::exchange(input_, {});
  read(bytes);
  if (!alive() || failing_ || !input_.empty()) return;
  if (peer_ended_) return peer_ended_in_order();
  stream_->resume();
}

void Http1ServerConnection::read_later() {
  if (std::exchange(read_scheduled_, true)) return;
  loop_.defer(anchor_.guard([this] {
    read_scheduled_ = false;
    read_pending();
  }));
}

void Http1ServerConnection::request_begins() {
  codec::RequestHead head = std::move(parser_.request());
  const codec::Http1Framing& framing = parser_.framing();
  codec::strip_hop_by_hop(head.headers, framing.upgrade);
  const bool body = framing.body == codec::BodyFraming::chunked || framing.length > 0;
  const bool expects_continue = framing.expects_continue;
  if (!expects_continue || options_.answer_expect) head.headers.remove("expect");
  connect_ = framing.connect;
  upgrade_ = framing.upgrade;
  http10_ = head.version == codec::Version::http10;
  head_request_ = head.method == "HEAD";
  last_ = draining_ || !framing.keep_alive;
  paused_ = false;
  head_timer_ = false;
  phase_ = Phase::exchange;
  response_ = Response::waiting;
  request_ = connect_ || upgrade_ ? Request::held : body ? Request::body : Request::complete;
  if (!body) {
    std::string_view nothing;
    parser_.next(nothing);  // the end, which the head implies
  }
  touch();
  const auto alive = anchor_.watch();
  ServerExchangeHandler& handler =
      owner_.request_begins(*this, std::move(head), request_ == Request::complete);
  if (!alive()) return;
  exchange_ = &handler;
  if (expects_continue && options_.answer_expect && response_ == Response::waiting) {
    codec::ResponseHead proceed;
    proceed.status = 100;
    send_interim(proceed);
  }
}

void Http1ServerConnection::request_ends() {
  request_ = Request::complete;
  codec::Headers trailers = std::move(parser_.trailers());
  codec::strip_hop_by_hop(trailers, false);
  const auto alive = anchor_.watch();
  exchange_->request_end(trailers);
  if (alive()) finish_if_complete();
}

void Http1ServerConnection::stream_end() {
  peer_ended_ = true;
  if (failing_ || phase_ == Phase::closed) return;
  if (phase_ == Phase::closing) return close_when_over();
  if (input_.empty()) peer_ended_in_order();
}

// The peer's FIN, once everything in front of it is taken.
void Http1ServerConnection::peer_ended_in_order() {
  if (phase_ == Phase::idle) {
    if (!parser_.started()) return begin_closing();
    parser_.finish();
    return refuse(parser_.error());
  }
  if (phase_ != Phase::exchange) return;
  if (request_ == Request::tunnel && !paused_) {
    request_ = Request::complete;
    const auto alive = anchor_.watch();
    exchange_->request_end({});
    if (alive()) finish_if_complete();
  } else if (request_ == Request::body) {
    fail(Error{Code::closed, "the caller closed within the request body"});
  }
  // A complete request is answered all the same: the caller may have closed one half only.
}

// ---- what goes out ----

void Http1ServerConnection::send_interim(const codec::ResponseHead& head) {
  if (http10_) return;  // RFC 9110 § 15.2
  output_.clear();
  codec::append_response_head(output_, head, {.length = codec::Http1Write::Length::drop});
  stream_->write(output_);
}

void Http1ServerConnection::send_head(const codec::ResponseHead& head, bool end) {
  if (failing_ || phase_ != Phase::exchange) return;
  WEFT_CHECK(response_ == Response::waiting);
  touch();
  if (head.status < 200 && head.status != 101) return send_interim(head);
  last_ = last_ || draining_;
  codec::Http1Write write;
  if (!frame_response(head, end, write)) return;
  const bool tunnel = response_ == Response::tunnel;
  if (tunnel) {
    write.connection = connect_ ? "" : "upgrade";
    write.keep_upgrade = true;
  } else {
    write.connection = last_ ? "close" : http10_ ? "keep-alive" : "";
  }
  output_.clear();
  codec::append_response_head(output_, head, write);
  stream_->write(output_);
  output_ = std::string();
  if (request_ == Request::held) release_held_request(tunnel);
  finish_if_complete();
}

// How the body of the final response will be delimited (RFC 9112 § 6.3). False where head and body contradict
// each other: nothing was sent and the connection fails.
bool Http1ServerConnection::frame_response(const codec::ResponseHead& head, bool end,
                                           codec::Http1Write& write) {
  using Length = codec::Http1Write::Length;
  const auto contradiction = [this](const char* what) {
    fail(Error{Code::internal, str_cat("the response cannot be framed: ", what)});
    return false;
  };
  if (head.status == 101 && !upgrade_) return contradiction("101 to a request without Upgrade");
  if (head.status == 101 || (connect_ && head.status < 300)) {
    write.length = Length::drop;
    response_ = Response::tunnel;
    return true;
  }
  const auto length_field = head.headers.get("content-length");
  const std::uint64_t length =
      parse_number<std::uint64_t>(length_field.value_or("0")).value_or(invalid_length);
  if (length == invalid_length) return contradiction("Content-Length is not a number");
  if (head_request_ || head.status == 304 || head.status == 204) {
    if (head.status == 204) write.length = Length::drop;
    response_ = end ? Response::complete : Response::no_body;
  } else if (end) {
    if (length > 0) return contradiction("Content-Length without a body");
    write.length = Length::zero;
    response_ = Response::complete;
  } else if (length_field) {
    response_remaining_ = length;
    response_ = Response::length;
  } else if (!http10_) {
    write.chunked = true;
    response_ = Response::chunked;
  } else {
    last_ = true;
    response_ = Response::until_close;
  }
  return true;
}

// CONNECT or Upgrade was answered: what the caller sends from now on is the tunnel's, or the request is over.
void Http1ServerConnection::release_held_request(bool tunnel) {
  if (tunnel) {
    request_ = Request::tunnel;
    last_ = true;
    touch();
    return read_later();
  }
  request_ = Request::complete;
  loop_.defer(anchor_.guard([this] {
    if (exchange_ == nullptr || failing_) return;
    exchange_->request_end({});
  }));
}

void Http1ServerConnection::send_body(std::string_view bytes) {
  if (failing_ || phase_ != Phase::exchange || bytes.empty()) return;
  touch();
  switch (response_) {
    case Response::length:
      if (bytes.size() > response_remaining_) {
        return fail(Error{Code::internal, "the response body is longer than its Content-Length"});
      }
      response_remaining_ -= bytes.size();
      return stream_->write(bytes);
    case Response::chunked: {
      std::string line;
      codec::append_chunk_line(line, bytes.size());
      stream_->write(line);
      stream_->write(bytes);
      return stream_->write(codec::chunk_end);
    }
    case Response::until_close:
    case Response::tunnel:
      return stream_->write(bytes);
    case Response::no_body:
      return;
    case Response::waiting:
    case Response::complete:
      WEFT_CHECK(false);
  }
}

void Http1ServerConnection::send_end(const codec::Headers& trailers) {
  if (failing_ || phase_ != Phase::exchange) return;
  WEFT_CHECK(response_ != Response::waiting && response_ != Response::complete);
  touch();
  if (response_ == Response::length && response_remaining_ > 0) {
    return fail(Error{Code::internal, "the response body is shorter than its Content-Length"});
  }
  if (response_ == Response::chunked) {
    std::string end;
    codec::append_last_chunk(end, trailers);
    stream_->write(end);
  } else if (response_ == Response::tunnel) {
    end_stream();
  }
  response_ = Response::complete;
  finish_if_complete();
}

void Http1ServerConnection::resume_body() {
  paused_ = false;
  read_later();
}

void Http1ServerConnection::close_after() {
  last_ = true;
  if (phase_ == Phase::exchange) finish_if_complete();
}

void Http1ServerConnection::stream_drained() {
  if (failing_ || phase_ == Phase::closed) return;
  if (ended_) end_sent_ = true;  // our own FIN has left
  if (phase_ == Phase::closing) return close_when_over();
  touch();
  if (phase_ == Phase::exchange && exchange_ != nullptr && response_ != Response::complete) {
    exchange_->response_drained();
  }
}

// ---- the end of an exchange, and of the connection ----

void Http1ServerConnection::finish_if_complete() {
  if (response_ != Response::complete || failing_) return;
  // The rest of a request that was answered already is not waited for where the connection closes anyway.
  const bool abandoned = last_ && (request_ == Request::body || request_ == Request::held);
  if (request_ != Request::complete && !abandoned) return;
  if (std::exchange(finish_scheduled_, true)) return;
  loop_.defer(anchor_.guard([this] { finish(); }));
}

void Http1ServerConnection::finish() {
  finish_scheduled_ = false;
  if (phase_ != Phase::exchange || exchange_ == nullptr) return;
  const auto alive = anchor_.watch();
  const bool last = last_ || draining_;
  phase_ = last ? Phase::closing : Phase::idle;
  if (!last) parser_.begin();
  std::exchange(exchange_, nullptr)->exchange_finished();
  if (!alive() || failing_) return;
  if (last) return begin_closing();
  next_request();
}

void Http1ServerConnection::next_request() {
  touch();
  if (input_.empty() && !peer_ended_) {
    if (draining_) begin_closing();
    return;
  }
  read_pending();
}

void Http1ServerConnection::drain() {
  draining_ = true;
  if (phase_ == Phase::idle && !parser_.started() && input_.empty() && !failing_) begin_closing();
}

// No request could be made of the bytes: says so, and closes.
void Http1ServerConnection::refuse(const codec::Http1Error& error) {
  const auto alive = anchor_.watch();
  const bool answered = phase_ == Phase::exchange && response_ != Response::waiting;
  if (exchange_ != nullptr) {
    std::exchange(exchange_, nullptr)
        ->exchange_aborted(Error{Code::invalid, str_cat("request: ", error.message)});
    if (!alive()) return;
  }
  if (answered) return fail(Error{Code::invalid, error.message});
  codec::ResponseHead reply;
  reply.status = error.status;
  reply.headers.add("content-type", "text/plain");
  const std::string body = str_cat(error.message, "\n");
  reply.headers.add("content-length", std::to_string(body.size()));
  if (options_.refusals != nullptr) options_.refusals->request_refused(error, reply);
  output_.clear();
  codec::append_response_head(output_, reply, {.connection = "close"});
  output_ += body;
  stream_->write(output_);
  begin_closing();
}

// Everything is written. The socket stays until the peer has closed as well, for closing with unread bytes
// would send a reset, which can overtake what was written (RFC 9112 § 9.6).
void Http1ServerConnection::begin_closing() {
  phase_ = Phase::closing;
  output_ = std::string();
  input_ = std::string();
  end_stream();
  stream_->resume();
  deadline_.set(end_sent_ ? options_.linger_timeout : options_.idle_timeout);
  if (end_sent_ && peer_ended_) close_when_over();
}

void Http1ServerConnection::end_stream() {
  ended_ = true;
  stream_->end();
}

void Http1ServerConnection::close_when_over() {
  if (end_sent_ && peer_ended_) return closed(nullptr);
  if (end_sent_) deadline_.set(options_.linger_timeout);
}

void Http1ServerConnection::stream_failed(const Error& error) {
  if (phase_ == Phase::closing || phase_ == Phase::idle)
    return closed(phase_ == Phase::idle ? &error : nullptr);
  fail(error);
}

void Http1ServerConnection::fail(const Error& error) {
  if (failing_ || phase_ == Phase::closed) return;
  failing_ = true;
  failure_ = error;
  stream_->pause();
  loop_.defer(anchor_.guard([this] { die(); }));
}

void Http1ServerConnection::die() {
  const auto alive = anchor_.watch();
  if (phase_ == Phase::closed) return;
  stream_->reset();
  if (exchange_ != nullptr) std::exchange(exchange_, nullptr)->exchange_aborted(failure_);
  if (alive()) closed(&failure_);
}

void Http1ServerConnection::closed(const Error* error) {
  if (std::exchange(phase_, Phase::closed) == Phase::closed) return;
  deadline_.stop();
  stream_->pause();
  owner_.connection_closed(error);
}

// ---- time ----

void Http1ServerConnection::touch() {
  if (phase_ == Phase::closing || phase_ == Phase::closed || head_timer_) return;
  const bool tunnel = phase_ == Phase::exchange && request_ == Request::tunnel;
  deadline_.set(tunnel ? options_.tunnel_idle_timeout : options_.idle_timeout);
}

void Http1ServerConnection::deadline_reached() {
  switch (phase_) {
    case Phase::idle:
      if (!head_timer_) return begin_closing();
      return refuse({408, "the request head did not arrive in time"});
    case Phase::exchange:
      return fail(Error{Code::timeout, "nothing was sent or received for too long"});
    case Phase::closing:
      return closed(nullptr);
    case Phase::closed:
      return;
  }
}

std::unique_ptr<ServerConnection> make_http1_server_connection(io::Loop& loop,
                                                               std::unique_ptr<io::Stream> stream,
                                                               ServerConnectionHandler& handler,
                                                               const ServerOptions& options,
                                                               std::string already_read) {
  return std::make_unique<Http1ServerConnection>(loop, std::move(stream), handler, options,
                                                 std::move(already_read));
}

}  // namespace weft::http
