#include "http/http1_client.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"

namespace weft::http {
namespace {

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
    : Http1Connection(loop, std::move(stream), codec::Http1Parser::Role::response, options.limits),
      owner_(handler),
      options_(options) {
  stream_->start(*this);
}

// A second early, or half of a time that is shorter than two: our request must not cross the peer's close.
Duration Http1ClientConnection::idle_limit(Duration otherwise) const {
  if (!keep_alive_timeout_) return otherwise;
  const Duration theirs = *keep_alive_timeout_;
  return std::min(otherwise, std::max(theirs - std::chrono::seconds(1), theirs / 2));
}

// ---- the request goes out ----

bool Http1ClientConnection::ready() const {
  return phase_ == Phase::idle && !failing_ && !draining_ && !peer_ended_;
}

bool Http1ClientConnection::available() const { return ready() && stream_->idle_and_open(); }

ClientExchange& Http1ClientConnection::request(const codec::RequestHead& head, bool end,
                                               ClientExchangeHandler& handler) {
  WEFT_CHECK(exchange_ == nullptr);
  const bool usable = ready();
  exchange_ = &handler;
  left_ = false;
  paused_ = false;
  answered_ = false;
  if (!usable) {
    refuse_request();
    return *this;
  }
  asked_at_ = loop_.now();
  queued_ = stream_->queued_bytes();  // the end of a TLS handshake may still wait for this turn's end
  phase_ = Phase::exchange;
  incoming_ = Incoming::message;
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
  const std::optional<std::uint64_t> declared = content_length(head.headers);
  const std::uint64_t length = declared.value_or(0);
  const bool upgrade = !end && !connect_ && head.headers.has("upgrade");
  if (length == invalid_length || (end && length > 0)) {
    fail(Error{Code::invalid, "the request's Content-Length does not fit its body"});
    return false;
  }
  if (upgrade || connect_) {
    how.length = Length::drop;
    how.keep_upgrade = upgrade;
    how.connection = upgrade ? "upgrade" : "";
    outgoing_ = Outgoing::held;
    return true;
  }
  if (head.headers.has("te")) how.connection = "TE";
  if (end) {
    // RFC 9110 § 8.6: methods that usually have content say that there is none.
    const bool says_so = declared || head.method == "POST" || head.method == "PUT" || head.method == "PATCH";
    if (says_so) how.length = Length::zero;
    outgoing_ = Outgoing::complete;
  } else if (declared) {
    outgoing_remaining_ = length;
    outgoing_ = Outgoing::length;
  } else {
    how.chunked = true;
    outgoing_ = Outgoing::chunked;
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

Error Http1ClientConnection::length_mismatch(std::string_view how) const {
  return Error{Code::invalid, str_cat("the request body is ", how, " than its Content-Length")};
}

void Http1ClientConnection::cancel() {
  exchange_ = nullptr;
  fail(Error{Code::closed, "the request was cancelled"});
}

void Http1ClientConnection::outgoing_drained() {
  if (exchange_ != nullptr) exchange_->request_drained();
}

// ---- the response comes in ----

void Http1ClientConnection::stream_data(std::string_view bytes) {
  if (phase_ == Phase::exchange && incoming_ != Incoming::complete) {
    answered_ = true;
    return Http1Connection::stream_data(bytes);
  }
  // Bytes that answer nothing: whatever they are, no response may be read behind them.
  reusable_ = false;
  if (phase_ == Phase::idle) fail(Error{Code::invalid, "the peer sent bytes that answer no request"});
}

void Http1ClientConnection::reading_stopped(std::string_view rest) {
  if (incoming_ != Incoming::complete) return keep(rest);
  if (!rest.empty()) reusable_ = false;
}

void Http1ClientConnection::malformed(const codec::Http1Error& error) {
  fail(Error{Code::invalid, str_cat("response: ", error.message)});
}

void Http1ClientConnection::head_arrived() {
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
    skip_implied_end();
    incoming_ = Incoming::complete;
  }
  codec::strip_hop_by_hop(head.headers, false);
  const auto alive = anchor_.watch();
  exchange_->response_head(std::move(head), end);
  if (alive() && end) finish_if_complete();
}

void Http1ClientConnection::open_tunnel(codec::ResponseHead&& head) {
  if (outgoing_ != Outgoing::held || (head.status == 101 && connect_)) {
    return fail(Error{Code::invalid, "response: 101 to a request without Upgrade"});
  }
  codec::strip_hop_by_hop(head.headers, true);
  outgoing_ = Outgoing::tunnel;
  incoming_ = Incoming::tunnel;
  response_was_tunnel_ = true;
  reusable_ = false;
  touch();
  const auto alive = anchor_.watch();
  exchange_->response_head(std::move(head), false);
  if (!alive() || failing_ || exchange_ == nullptr) return;
  exchange_->request_drained();
}

void Http1ClientConnection::peer_ended_in_order() {
  reusable_ = false;
  if (phase_ == Phase::idle) return closed(nullptr);
  if (incoming_ == Incoming::complete) return finish_if_complete();
  if (paused_) return;  // told after resume_body()
  if (incoming_ == Incoming::tunnel) return end_incoming({});
  const bool any = parser_.started();
  refused_ = !answered_ && options_.clean_close_is_refusal;
  if (parser_.finish().kind == codec::Http1Event::Kind::end) return end_incoming(take_trailers());
  fail(Error{Code::closed, any ? str_cat("response: ", parser_.error().message)
                               : "the peer closed the connection instead of responding"});
}

// ---- the end of an exchange, and of the connection ----

bool Http1ClientConnection::exchange_complete() const {
  if (incoming_ != Incoming::complete || outgoing_ == Outgoing::tunnel) return false;
  // Where the peer has answered and goes, the rest of the request has no reader.
  return outgoing_ == Outgoing::complete || !reusable_;
}

void Http1ClientConnection::finish() {
  if (phase_ != Phase::exchange || exchange_ == nullptr) return;
  const auto alive = anchor_.watch();
  const bool goes_on = reusable_ && !draining_ && !peer_ended_ && !failing_;
  phase_ = goes_on ? Phase::idle : Phase::closing;
  used_ = true;
  deadline_.stop();
  std::exchange(exchange_, nullptr)->exchange_finished();
  if (!alive() || failing_) return;
  if (goes_on) return owner_.connection_available();
  end_stream();
  deadline_.set(options_.idle_timeout);
  close_if_over();
}

// The end of a tunnel may not have left yet; destroying the stream would drop it.
void Http1ClientConnection::close_if_over() {
  if (end_sent_ || !response_was_tunnel_) closed(nullptr);
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
  if (phase_ == Phase::exchange && incoming_ == Incoming::complete && outgoing_ != Outgoing::tunnel) {
    return finish_if_complete();  // answered before it broke
  }
  fail(error);
}

void Http1ClientConnection::deadline_reached() {
  if (phase_ == Phase::closing) return give_up_closing();
  fail(Error{Code::timeout, "nothing was sent or received for too long"});
}

// What its peer can have seen of the exchange that failed with failure_.
Delivery Http1ClientConnection::delivery() const {
  if (phase_ != Phase::exchange || nothing_left_us() || refused_) return Delivery::never;
  const bool broke = failure_.code == Code::closed || failure_.code == Code::io;
  const bool soon = loop_.now() - asked_at_ < limits::close_race_window;
  return used_ && !answered_ && broke && soon ? Delivery::raced : Delivery::maybe;
}

void Http1ClientConnection::abort_exchange() {
  const Delivery delivered = delivery();
  // At once, so that what is still queued never leaves: `never` must stay true.
  stream_->reset();
  stream_.reset();
  deadline_.stop();
  if (exchange_ == nullptr) return;
  raced_ = delivered == Delivery::raced;
  std::exchange(exchange_, nullptr)->exchange_aborted(failure_, delivered);
}

void Http1ClientConnection::touch() {
  const bool tunnel = outgoing_ == Outgoing::tunnel;
  deadline_.set(tunnel ? options_.tunnel_idle_timeout : options_.idle_timeout);
}

std::unique_ptr<ClientConnection> make_http1_client_connection(io::Loop& loop,
                                                               std::unique_ptr<io::Stream> stream,
                                                               ClientConnectionHandler& handler,
                                                               const ClientOptions& options) {
  return std::make_unique<Http1ClientConnection>(loop, std::move(stream), handler, options);
}

}  // namespace weft::http
