#include "http/http1_server.h"

#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace weft::http {

Http1ServerConnection::Http1ServerConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                             ServerConnectionHandler& handler, const ServerOptions& options,
                                             std::string already_read)
    : Http1Connection(loop, std::move(stream), codec::Http1Parser::Role::request, options.limits),
      owner_(handler),
      options_(options) {
  input_ = std::move(already_read);
  touch();
  stream_->start(*this);
  if (!input_.empty()) read_later();
}

// ---- bytes that come in ----

bool Http1ServerConnection::can_read() const {
  // Who does not read its answers is not asked for more requests.
  if (phase_ == Phase::idle) return !failing_ && stream_->writable();
  return Http1Connection::can_read();
}

void Http1ServerConnection::reading_stopped(std::string_view rest) {
  if (phase_ == Phase::idle && parser_.started() && !head_timer_) {
    head_timer_ = true;
    deadline_.set(options_.header_timeout);
  }
  if (phase_ != Phase::closing) keep(rest);
}

void Http1ServerConnection::head_arrived() {
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
  overtime_ = false;
  head_timer_ = false;
  phase_ = Phase::exchange;
  outgoing_ = Outgoing::waiting;
  incoming_ = connect_ || upgrade_ ? Incoming::held : body ? Incoming::message : Incoming::complete;
  if (!body) skip_implied_end();
  touch();
  const auto alive = anchor_.watch();
  ServerExchangeHandler& handler =
      owner_.request_begins(*this, std::move(head), incoming_ == Incoming::complete);
  if (!alive()) return;
  exchange_ = &handler;
  if (expects_continue && options_.answer_expect && outgoing_ == Outgoing::waiting) {
    codec::ResponseHead proceed;
    proceed.status = 100;
    send_interim(proceed);
  }
}

void Http1ServerConnection::peer_ended_in_order() {
  if (phase_ == Phase::idle) {
    if (!parser_.started()) return begin_closing();
    parser_.finish();
    return refuse(parser_.error());
  }
  if (phase_ != Phase::exchange) return;
  if (incoming_ == Incoming::tunnel && !paused_) return end_incoming({});
  if (incoming_ == Incoming::message)
    return fail(Error{Code::closed, "the caller closed within the request body"});
  // A complete request is answered all the same: the caller may have closed one half only.
  if (incoming_ == Incoming::complete && exchange_ != nullptr) exchange_->caller_ended();
}

// A request that cannot come whole any more would hold its place, and that of others, for nothing. Whether
// one in chunks can is seen when its end is read (RFC 9112 § 8).
void Http1ServerConnection::stream_end_waits(std::uint64_t bytes_max) {
  if (phase_ != Phase::exchange || incoming_ != Incoming::message) return;
  const std::uint64_t left = parser_.body_left();
  if (left <= input_.size() || left - input_.size() <= bytes_max) return;
  fail(Error{Code::closed, "the caller closed within the request body"});
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
  WEFT_CHECK(outgoing_ == Outgoing::waiting);
  touch();
  if (head.status < 200 && head.status != 101) return send_interim(head);
  last_ = last_ || draining_;
  codec::Http1Write write;
  if (!frame_response(head, end, write)) return;
  const bool tunnel = outgoing_ == Outgoing::tunnel;
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
  if (incoming_ == Incoming::held) release_held_request(tunnel);
  if (tunnel && end) return write_end({});
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
    outgoing_ = Outgoing::tunnel;
    return true;
  }
  const std::optional<std::uint64_t> declared = content_length(head.headers);
  const std::uint64_t length = declared.value_or(0);
  if (length == invalid_length) return contradiction("Content-Length is not a number");
  if (head_request_ || head.status == 304 || head.status == 204) {
    if (head.status == 204) write.length = Length::drop;
    outgoing_ = end ? Outgoing::complete : Outgoing::no_body;
  } else if (end) {
    if (length > 0) return contradiction("Content-Length without a body");
    write.length = Length::zero;
    outgoing_ = Outgoing::complete;
  } else if (declared) {
    outgoing_remaining_ = length;
    outgoing_ = Outgoing::length;
  } else if (!http10_) {
    write.chunked = true;
    outgoing_ = Outgoing::chunked;
  } else {
    last_ = true;
    outgoing_ = Outgoing::until_close;
  }
  return true;
}

// CONNECT or Upgrade was answered: what the caller sends from now on is the tunnel's, or the request is over.
void Http1ServerConnection::release_held_request(bool tunnel) {
  if (tunnel) {
    incoming_ = Incoming::tunnel;
    last_ = true;
    touch();
    return read_later();
  }
  incoming_ = Incoming::complete;
  loop_.defer(anchor_.guard([this] {
    if (exchange_ == nullptr || failing_) return;
    exchange_->request_end({});
  }));
}

Error Http1ServerConnection::length_mismatch(std::string_view how) const {
  return Error{Code::internal, str_cat("the response body is ", how, " than its Content-Length")};
}

void Http1ServerConnection::close_after() {
  last_ = true;
  if (phase_ == Phase::exchange) finish_if_complete();
}

void Http1ServerConnection::abandon_request() {
  // A tunnel's two directions end on their own, unless nobody is left who would take the caller's.
  if (incoming_ == Incoming::tunnel) incoming_ = Incoming::complete;
  close_after();
}

void Http1ServerConnection::outgoing_drained() {
  if (exchange_ != nullptr) exchange_->response_drained();
}

// ---- the end of an exchange, and of the connection ----

bool Http1ServerConnection::exchange_complete() const {
  if (outgoing_ != Outgoing::complete) return false;
  // The rest of a request that was answered already is not waited for where the connection closes anyway.
  const bool abandoned = last_ && (incoming_ == Incoming::message || incoming_ == Incoming::held);
  return incoming_ == Incoming::complete || abandoned;
}

void Http1ServerConnection::finish() {
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

void Http1ServerConnection::refuse_new() {
  draining_ = true;
  if (phase_ == Phase::idle && !failing_) begin_closing();
}

// No request could be made of the bytes: says so, and closes.
void Http1ServerConnection::refuse(const codec::Http1Error& error) {
  const auto alive = anchor_.watch();
  const bool answered = phase_ == Phase::exchange && outgoing_ != Outgoing::waiting;
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

// What comes behind our last byte is read and dropped: unread, it would become a reset that overtakes our
// answer.
void Http1ServerConnection::stream_data(std::string_view bytes) {
  if (phase_ != Phase::closing) return Http1Connection::stream_data(bytes);
  lingered_bytes_ += bytes.size();
  if (lingered_bytes_ > options_.linger_bytes_max)
    fail(Error{Code::limit, "the caller does not stop sending"});
}

// Who reads its answers again may ask again.
void Http1ServerConnection::stream_drained() {
  if (phase_ == Phase::idle) read_later();
  Http1Connection::stream_drained();
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
  if (end_sent_ && peer_ended_) close_if_over();
}

void Http1ServerConnection::close_if_over() {
  if (end_sent_ && peer_ended_) return closed(nullptr);
  if (end_sent_) deadline_.set(options_.linger_timeout);
}

void Http1ServerConnection::stream_failed(const Error& error) {
  if (phase_ == Phase::closing || phase_ == Phase::idle)
    return closed(phase_ == Phase::idle ? &error : nullptr);
  fail(error);
}

void Http1ServerConnection::abort_exchange() {
  stream_->reset();
  if (exchange_ != nullptr) std::exchange(exchange_, nullptr)->exchange_aborted(failure_);
}

// ---- time ----

void Http1ServerConnection::touch() {
  if (phase_ == Phase::closing || phase_ == Phase::closed || head_timer_) return;
  const bool tunnel = phase_ == Phase::exchange && incoming_ == Incoming::tunnel;
  deadline_.set(tunnel ? options_.tunnel_idle_timeout : options_.idle_timeout);
}

void Http1ServerConnection::deadline_reached() {
  switch (phase_) {
    case Phase::idle:
      if (!head_timer_) return begin_closing();
      return refuse({408, "the request head did not arrive in time"});
    case Phase::exchange:
      // Who is to answer has a limit of the same length, and can say what happened.
      if (incoming_ == Incoming::complete && outgoing_ == Outgoing::waiting &&
          !std::exchange(overtime_, true))
        return deadline_.set(options_.idle_timeout);
      return fail(Error{Code::timeout, "nothing was sent or received for too long"});
    case Phase::closing:
      return give_up_closing();
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
