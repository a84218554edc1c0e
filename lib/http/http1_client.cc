#include "http/http1_client.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace weft::http {
namespace {

constexpr std::uint64_t invalid_length = ~std::uint64_t{0};

// The N of `Keep-Alive: timeout=N, max=M`.
std::optional<Duration> keep_alive_timeout(const codec::Headers& headers) {
  const auto field = headers.get("keep-alive");
  if (!field) return std::nullopt;
  for (const std::string_view item : split(*field, ',')) {
    const std::string_view parameter = trim(item);
    constexpr std::string_view name = "timeout=";
    if (parameter.size() <= name.size() || !equals_ignore_case(parameter.substr(0, name.size()), name))
      continue;
    if (const auto seconds = parse_number<std::uint32_t>(parameter.substr(name.size()))) {
      return std::chrono::seconds(*seconds);
    }
  }
  return std::nullopt;
}

}  // namespace

Http1ClientConnection::Http1ClientConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                             ClientConnectionHandler& handler, const ClientOptions& options)
    : loop_(loop),
      stream_(std::move(stream)),
      owner_(handler),
      options_(options),
      parser_(codec::Http1Parser::Role::response, options.limits),
      deadline_(loop, [this] { deadline_reached(); }) {
  stream_->start(*this);
}

// A second early, or half of a time that is shorter than two: our request must not cross the peer's close.
Duration Http1ClientConnection::idle_limit(Duration otherwise) const {
  if (!keep_alive_timeout_) return otherwise;
  const Duration theirs = *keep_alive_timeout_;
  return std::min(otherwise, std::max(theirs - std::chrono::seconds(1), theirs / 2));
}

// ---- the request goes out ----

bool Http1ClientConnection::available() const {
  return phase_ == Phase::idle && !failing_ && !draining_ && !peer_ended_ && stream_->idle_and_open();
}

ClientExchange& Http1ClientConnection::request(const codec::RequestHead& head, bool end,
                                               ClientExchangeHandler& handler) {
  WEFT_CHECK(exchange_ == nullptr);
  const bool usable = available();
  exchange_ = &handler;
  left_ = false;
  paused_ = false;
  if (!usable) {
    refuse_request();
    return *this;
  }
  queued_ = stream_->queued_bytes();  // the end of a TLS handshake may still wait for this turn's end
  phase_ = Phase::exchange;
  response_ = Response::message;
  connect_ = head.method == "CONNECT";
  codec::Http1Write how;
  if (!frame_request(head, end, how)) return *this;
  parser_.begin(head.method);
  touch();
  std::string bytes;
  codec::append_request_head(bytes, head, how);
  write(bytes);
  return *this;
}

// It closed, or is about to, before anything was written.
void Http1ClientConnection::refuse_request() {
  Error error{Code::closed, "the connection closed before the request was sent"};
  if (phase_ != Phase::closed) return fail(error);  // or is failing already: exchange_ hears of that
  loop_.defer(anchor_.guard([this, error = std::move(error)] {
    if (exchange_ != nullptr) std::exchange(exchange_, nullptr)->exchange_aborted(error, Delivery::never);
  }));
}

// False where head and body contradict each other: nothing is sent and the exchange aborts.
bool Http1ClientConnection::frame_request(const codec::RequestHead& head, bool end, codec::Http1Write& how) {
  using Length = codec::Http1Write::Length;
  const auto length_field = head.headers.get("content-length");
  const std::uint64_t length =
      parse_number<std::uint64_t>(length_field.value_or("0")).value_or(invalid_length);
  const bool upgrade = !end && !connect_ && head.headers.has("upgrade");
  if (length == invalid_length || (end && length > 0)) {
    fail(Error{Code::invalid, "the request's Content-Length does not fit its body"});
    return false;
  }
  if (upgrade || connect_) {
    how.length = Length::drop;
    how.keep_upgrade = upgrade;
    how.connection = upgrade ? "upgrade" : "";
    request_ = Request::held;
    return true;
  }
  if (head.headers.has("te")) how.connection = "TE";
  if (end) {
    // RFC 9110 § 8.6: methods that usually have content say that there is none.
    const bool says_so =
        length_field || head.method == "POST" || head.method == "PUT" || head.method == "PATCH";
    if (says_so) how.length = Length::zero;
    request_ = Request::complete;
  } else if (length_field) {
    request_remaining_ = length;
    request_ = Request::length;
  } else {
    how.chunked = true;
    request_ = Request::chunked;
  }
  return true;
}

// Every byte goes through here, to know for certain when none has left.
void Http1ClientConnection::write(std::string_view bytes) {
  const std::size_t before = stream_->queued_bytes();
  stream_->write(bytes);
  const std::size_t after = stream_->queued_bytes();
  if (before != queued_ || after < before + bytes.size()) left_ = true;
  queued_ = after;
}

bool Http1ClientConnection::nothing_left_us() const { return !left_ && stream_->queued_bytes() == queued_; }

void Http1ClientConnection::send_body(std::string_view bytes) {
  if (failing_ || phase_ != Phase::exchange || bytes.empty()) return;
  touch();
  switch (request_) {
    case Request::length:
      if (bytes.size() > request_remaining_) {
        return fail(Error{Code::invalid, "the request body is longer than its Content-Length"});
      }
      request_remaining_ -= bytes.size();
      return write(bytes);
    case Request::chunked: {
      std::string line;
      codec::append_chunk_line(line, bytes.size());
      write(line);
      write(bytes);
      return write(codec::chunk_end);
    }
    case Request::tunnel:
      return write(bytes);
    case Request::held:  // refused, or answered too late to matter
      return;
    case Request::complete:
      WEFT_CHECK(false);
  }
}

void Http1ClientConnection::send_end(const codec::Headers& trailers) {
  if (failing_ || phase_ != Phase::exchange) return;
  WEFT_CHECK(request_ != Request::complete);
  touch();
  if (request_ == Request::length && request_remaining_ > 0) {
    return fail(Error{Code::invalid, "the request body is shorter than its Content-Length"});
  }
  if (request_ == Request::chunked) {
    std::string end;
    codec::append_last_chunk(end, trailers);
    write(end);
  } else if (request_ == Request::tunnel) {
    end_stream();
  }
  request_ = Request::complete;
  finish_if_complete();
}

void Http1ClientConnection::cancel() {
  exchange_ = nullptr;
  fail(Error{Code::closed, "the request was cancelled"});
}

void Http1ClientConnection::stream_drained() {
  if (failing_ || phase_ == Phase::closed) return;
  if (ended_) end_sent_ = true;  // our own FIN has left
  if (phase_ == Phase::closing) return close_if_sent();
  touch();
  if (exchange_ != nullptr && request_ != Request::complete && request_ != Request::held) {
    exchange_->request_drained();
  }
}

// ---- the response comes in ----

bool Http1ClientConnection::can_read() const {
  return phase_ == Phase::exchange && !failing_ && !paused_ && response_ != Response::complete;
}

void Http1ClientConnection::stream_data(std::string_view bytes) {
  if (failing_ || phase_ == Phase::closed || phase_ == Phase::closing) return;
  if (phase_ == Phase::idle || response_ == Response::complete) {
    // Bytes that answer nothing: whatever they are, no response may be read behind them.
    reusable_ = false;
    if (phase_ == Phase::idle) fail(Error{Code::invalid, "the peer sent bytes that answer no request"});
    return;
  }
  touch();
  if (!input_.empty() || !can_read()) {
    input_.append(bytes);
    stream_->pause();
    return;
  }
  read(bytes);
}

// Takes what it can of `bytes`, which is all that is there, and keeps the rest.
void Http1ClientConnection::read(std::string_view bytes) {
  const auto alive = anchor_.watch();
  while (can_read()) {
    if (response_ == Response::tunnel) {
      if (bytes.empty()) break;
      exchange_->response_body(std::exchange(bytes, {}));
      if (!alive()) return;
      continue;
    }
    const codec::Http1Event event = parser_.next(bytes);
    if (event.kind == codec::Http1Event::Kind::need_more) break;
    switch (event.kind) {
      case codec::Http1Event::Kind::head:
        response_begins();
        break;
      case codec::Http1Event::Kind::body:
        exchange_->response_body(event.body);
        break;
      case codec::Http1Event::Kind::end:
        response_ends();
        break;
      case codec::Http1Event::Kind::error:
        return fail(Error{Code::invalid, str_cat("response: ", parser_.error().message)});
      case codec::Http1Event::Kind::need_more:
        break;
    }
    if (!alive()) return;
  }
  if (bytes.empty()) return;
  if (response_ == Response::complete) {
    reusable_ = false;
    return;
  }
  input_ = std::string(bytes);
  stream_->pause();
}

void Http1ClientConnection::read_pending() {
  if (!can_read()) return;
  const auto alive = anchor_.watch();
  const std::string bytes = std::exchange(input_, {});
  read(bytes);
  if (!alive() || failing_ || !input_.empty()) return;
  if (peer_ended_) return peer_ended_in_order();
  stream_->resume();
}

void Http1ClientConnection::read_later() {
  if (std::exchange(read_scheduled_, true)) return;
  loop_.defer(anchor_.guard([this] {
    read_scheduled_ = false;
    read_pending();
  }));
}

void Http1ClientConnection::resume_body() {
  paused_ = false;
  read_later();
}

void Http1ClientConnection::response_begins() {
  codec::ResponseHead head = std::move(parser_.response());
  const codec::Http1Framing& framing = parser_.framing();
  if (framing.upgrade || framing.connect) return open_tunnel(std::move(head));
  const bool interim = head.status < 200;
  bool end = false;
  if (!interim) {
    reusable_ = reusable_ && framing.keep_alive;
    keep_alive_timeout_ = keep_alive_timeout(head.headers);
    end = framing.body == codec::BodyFraming::none ||
          (framing.body == codec::BodyFraming::length && framing.length == 0);
  }
  if (end) {
    std::string_view nothing;
    parser_.next(nothing);  // the end, which the head implies
    response_ = Response::complete;
  }
  codec::strip_hop_by_hop(head.headers, false);
  const auto alive = anchor_.watch();
  exchange_->response_head(std::move(head), end);
  if (alive() && end) finish_if_complete();
}

void Http1ClientConnection::open_tunnel(codec::ResponseHead&& head) {
  if (request_ != Request::held || (head.status == 101 && connect_)) {
    return fail(Error{Code::invalid, "response: 101 to a request without Upgrade"});
  }
  codec::strip_hop_by_hop(head.headers, true);
  request_ = Request::tunnel;
  response_ = Response::tunnel;
  response_was_tunnel_ = true;
  reusable_ = false;
  touch();
  const auto alive = anchor_.watch();
  exchange_->response_head(std::move(head), false);
  if (!alive() || failing_ || exchange_ == nullptr) return;
  exchange_->request_drained();
}

void Http1ClientConnection::response_ends() {
  response_ = Response::complete;
  codec::Headers trailers = std::move(parser_.trailers());
  codec::strip_hop_by_hop(trailers, false);
  const auto alive = anchor_.watch();
  exchange_->response_end(trailers);
  if (alive()) finish_if_complete();
}

void Http1ClientConnection::stream_end() {
  peer_ended_ = true;
  if (failing_ || phase_ == Phase::closed || phase_ == Phase::closing) return;
  if (input_.empty()) peer_ended_in_order();
}

// The peer's FIN, once everything in front of it is taken.
void Http1ClientConnection::peer_ended_in_order() {
  reusable_ = false;
  if (phase_ == Phase::idle) return closed(nullptr);
  if (response_ == Response::complete) return finish_if_complete();
  if (paused_) return;  // told after resume_body()
  if (response_ == Response::tunnel) {
    response_ = Response::complete;
    const auto alive = anchor_.watch();
    exchange_->response_end({});
    if (alive()) finish_if_complete();
    return;
  }
  const bool any = parser_.started();
  if (parser_.finish().kind == codec::Http1Event::Kind::end) return response_ends();
  fail(Error{Code::closed, any ? str_cat("response: ", parser_.error().message)
                               : "the peer closed the connection instead of responding"});
}

// ---- the end of an exchange, and of the connection ----

void Http1ClientConnection::finish_if_complete() {
  if (response_ != Response::complete || failing_ || phase_ != Phase::exchange) return;
  if (request_ == Request::tunnel) return;
  // Where the peer has answered and goes, the rest of the request has no reader.
  if (request_ != Request::complete && reusable_) return;
  if (std::exchange(finish_scheduled_, true)) return;
  loop_.defer(anchor_.guard([this] { finish(); }));
}

void Http1ClientConnection::finish() {
  finish_scheduled_ = false;
  if (phase_ != Phase::exchange || exchange_ == nullptr) return;
  const auto alive = anchor_.watch();
  const bool goes_on = reusable_ && !draining_ && !peer_ended_ && !failing_;
  phase_ = goes_on ? Phase::idle : Phase::closing;
  deadline_.stop();
  std::exchange(exchange_, nullptr)->exchange_finished();
  if (!alive() || failing_) return;
  if (goes_on) return owner_.connection_available();
  end_stream();
  close_if_sent();
}

void Http1ClientConnection::end_stream() {
  ended_ = true;
  stream_->end();
}

// The end of a tunnel may not have left yet; destroying the stream would drop it.
void Http1ClientConnection::close_if_sent() {
  if (end_sent_ || !response_was_tunnel_) return closed(nullptr);
  deadline_.set(options_.idle_timeout);
}

void Http1ClientConnection::drain() {
  draining_ = true;
  if (phase_ != Phase::idle || failing_) return;
  loop_.defer(anchor_.guard([this] {
    if (phase_ == Phase::idle && !failing_) closed(nullptr);
  }));
}

void Http1ClientConnection::stream_failed(const Error& error) {
  peer_ended_ = true;
  reusable_ = false;
  if (phase_ == Phase::closing) return closed(nullptr);
  if (phase_ == Phase::exchange && response_ == Response::complete && request_ != Request::tunnel) {
    return finish_if_complete();  // answered before it broke
  }
  fail(error);
}

void Http1ClientConnection::deadline_reached() {
  if (phase_ == Phase::closing) return closed(nullptr);
  fail(Error{Code::timeout, "nothing was sent or received for too long"});
}

void Http1ClientConnection::fail(const Error& error) {
  if (std::exchange(failing_, true)) return;
  failure_ = error;
  if (stream_ != nullptr) stream_->pause();
  loop_.defer(anchor_.guard([this] { die(); }));
}

void Http1ClientConnection::die() {
  const auto alive = anchor_.watch();
  const bool sent = phase_ == Phase::exchange && !nothing_left_us();
  // At once, so that what is still queued never leaves: `never` must stay true.
  if (stream_ != nullptr) stream_->reset();
  stream_.reset();
  deadline_.stop();
  if (exchange_ != nullptr) {
    std::exchange(exchange_, nullptr)->exchange_aborted(failure_, sent ? Delivery::maybe : Delivery::never);
  }
  if (alive()) closed(&failure_);
}

void Http1ClientConnection::closed(const Error* error) {
  if (std::exchange(phase_, Phase::closed) == Phase::closed) return;
  deadline_.stop();
  if (stream_ != nullptr) stream_->pause();
  owner_.connection_closed(error);
}

void Http1ClientConnection::touch() {
  const bool tunnel = request_ == Request::tunnel;
  deadline_.set(tunnel ? options_.tunnel_idle_timeout : options_.idle_timeout);
}

std::unique_ptr<ClientConnection> make_http1_client_connection(io::Loop& loop,
                                                               std::unique_ptr<io::Stream> stream,
                                                               ClientConnectionHandler& handler,
                                                               const ClientOptions& options) {
  return std::make_unique<Http1ClientConnection>(loop, std::move(stream), handler, options);
}

}  // namespace weft::http
