#include "http/grpc_client_call.h"

#include <utility>

#include "base/text.h"

namespace weft::http {
namespace {

using codec::GrpcCode;
using codec::GrpcStatus;

// A message more than this much behind a server that does not read ends the call: its owner is not looking at
// writable().
constexpr std::size_t unsent_bytes_max = 4 * limits::grpc_message_bytes_max;

bool is_grpc_answer(const codec::Headers& headers) {
  return ascii_lower(headers.get("content-type").value_or("")).starts_with("application/grpc");
}

GrpcStatus status_of(const codec::Headers& trailers, int http_status) {
  const auto text = trailers.get("grpc-status");
  if (!text) {
    // What answered without a grpc-status was no gRPC server, or one that broke off.
    if (http_status != 200) {
      return {codec::grpc_code_of_http_status(http_status),
              str_cat("HTTP status ", http_status, " without grpc-status")};
    }
    return {GrpcCode::unknown, "the answer ended without grpc-status"};
  }
  const auto code = codec::parse_grpc_code(*text);
  if (!code) return {GrpcCode::unknown, str_cat("malformed grpc-status '", printable(*text), "'")};
  return {*code, codec::decode_grpc_message(trailers.get("grpc-message").value_or(""))};
}

Error error_of_reset(codec::Http2Code code) {
  const std::string name = codec::http2_code_name(code);
  switch (code) {
    case codec::Http2Code::refused_stream:
      return {Code::unavailable, "the server took no more calls on this connection; try again"};
    case codec::Http2Code::cancel:
      return {Code::closed, "the server cancelled the call"};
    case codec::Http2Code::enhance_your_calm:
      return {Code::limit, "the server found a limit exceeded (ENHANCE_YOUR_CALM)"};
    default:
      return {Code::unavailable, str_cat("the server reset the call: ", name)};
  }
}

}  // namespace

GrpcClientCall::GrpcClientCall(io::Loop& loop, const GrpcChannelOptions& options, std::string method,
                               codec::Headers metadata, std::unique_ptr<GrpcCallEvents> events)
    : loop_(loop),
      target_(options.target),
      authority_(options.authority),
      scheme_(options.scheme),
      method_(std::move(method)),
      metadata_(std::move(metadata)),
      events_(std::move(events)),
      inbound_(options.message_bytes_max) {}

void GrpcClientCall::set_timeout(Duration timeout) {
  timeout_ = timeout;
  deadline_ = loop_.now() + timeout;
  timer_ = loop_.make_timer(anchor_.guard([this] { timed_out(); }));
  timer_->start(timeout);
}

codec::RequestHead GrpcClientCall::request_head() const {
  codec::RequestHead head;
  head.method = "POST";
  head.target = method_;
  head.authority = authority_;
  head.scheme = scheme_;
  head.version = codec::Version::http2;
  if (deadline_) head.headers.add("grpc-timeout", codec::format_grpc_timeout(*deadline_ - loop_.now()));
  head.headers.add("te", "trailers");
  head.headers.add("content-type", "application/grpc");
  head.headers.add("user-agent", "weft");
  for (const codec::Header& field : metadata_.fields()) head.headers.add(field.name, field.value);
  return head;
}

void GrpcClientCall::start(GrpcClientConnection& connection) {
  if (over()) return;
  if (!connection.begin(shared_from_this(), request_head(), id_)) {
    loop_.defer(anchor_.guard([this] {
      fail_call(Error{Code::unavailable, "the connection takes no more calls; try again"});
    }));
    return;
  }
  connection_ = &connection;
  metadata_ = codec::Headers();
  if (!queued_.empty()) connection.session().send_data(id_, std::exchange(queued_, std::string()));
  if (half_closed_) connection.session().send_end(id_, codec::Headers());
  connection.flush();
}

void GrpcClientCall::send(std::string_view message) {
  if (over() || half_closed_) return;
  if (queued_bytes() + message.size() > unsent_bytes_max) {
    half_closed_ = true;
    loop_.defer(anchor_.guard([this] {
      fail_call(Error{Code::limit, "the server does not read what it is sent"});
    }));
    return;
  }
  std::string frame;
  codec::write_grpc_frame(frame, message);
  if (connection_ == nullptr) {
    queued_.append(frame);
  } else {
    connection_->session().send_data(id_, frame);
    connection_->flush();
  }
}

std::size_t GrpcClientCall::queued_bytes() const {
  return connection_ == nullptr ? queued_.size() : connection_->session().queued(id_);
}

bool GrpcClientCall::writable() const { return !over() && queued_bytes() <= limits::write_high_bytes; }

void GrpcClientCall::half_close() {
  if (over() || half_closed_) return;
  half_closed_ = true;
  if (connection_ == nullptr) return;
  connection_->session().send_end(id_, codec::Headers());
  connection_->flush();
}

void GrpcClientCall::resume() {
  if (!inbound_.paused()) return;
  inbound_.resume();
  loop_.defer(anchor_.guard([this] {
    if (over() || inbound_.paused()) return;
    const auto self = shared_from_this();
    deliver({});
    deliver_end();
  }));
}

void GrpcClientCall::cancel() {
  const auto self = shared_from_this();
  // The events may be what is calling: they go at the end of this turn.
  if (events_) loop_.delete_later(std::move(events_));
  let_go();
}

void GrpcClientCall::abandon() {
  connection_ = nullptr;
  cancel();
}

// Leaves the connection; a stream that is still open on it is cancelled.
void GrpcClientCall::let_go() {
  inbound_.stop();
  // It may be what is calling.
  loop_.delete_later(std::move(timer_));
  queued_ = std::string();
  if (connection_ == nullptr) return;
  GrpcClientConnection& connection = *std::exchange(connection_, nullptr);
  connection.session().reset(id_, codec::Http2Code::cancel);
  connection.forget(id_);
  connection.flush();
}

void GrpcClientCall::finish(const Result<GrpcStatus>& how, const codec::Headers& trailers) {
  if (over()) return;
  const auto self = shared_from_this();
  let_go();
  const std::unique_ptr<GrpcCallEvents> events = std::move(events_);
  events->call_over(how, trailers);
}

void GrpcClientCall::fail_call(const Error& error) {
  finish(fail(error.in(str_cat(target_, ": ", method_))), codec::Headers());
}

void GrpcClientCall::timed_out() {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(timeout_).count();
  const char* where = connection_ == nullptr ? " (still connecting)" : "";
  fail_call(Error{Code::timeout, str_cat("no answer within ", milliseconds, " ms", where)});
}

void GrpcClientCall::response(codec::ResponseHead&& head, bool end_of_stream) {
  if (head.status < 200) return;
  http_status_ = head.status;
  if (end_of_stream) {
    end(head.headers);
  } else if (head.status != 200 || !is_grpc_answer(head.headers)) {
    fail_call(
        Error{Code::invalid, str_cat("the answer is not gRPC: HTTP status ", head.status, ", content-type '",
                                     printable(head.headers.get("content-type").value_or("")), "'")});
  } else {
    events_->call_opened(head.headers);
  }
}

void GrpcClientCall::data(std::string_view bytes) { deliver(bytes); }

void GrpcClientCall::deliver(std::string_view bytes) {
  std::size_t taken = 0;
  const Status delivered = inbound_.deliver(
      bytes,
      [this](std::string_view message) {
        if (events_) events_->call_message(message);
      },
      taken);
  if (connection_ != nullptr) {
    connection_->session().consume(id_, taken);
    connection_->flush();
  }
  if (!delivered) fail_call(delivered.error());
}

void GrpcClientCall::end(const codec::Headers& trailers) {
  trailers_ = trailers;
  deliver_end();
}

void GrpcClientCall::deliver_end() {
  if (over() || !trailers_ || inbound_.paused()) return;
  const GrpcStatus status = status_of(*trailers_, http_status_);
  if (status.ok() && !inbound_.at_boundary()) {
    fail_call(Error{Code::invalid, "the answer ended within a message"});
    return;
  }
  finish(status, *trailers_);
}

void GrpcClientCall::drained() {
  if (events_) events_->call_drained();
}

void GrpcClientCall::reset(codec::Http2Code code) {
  connection_ = nullptr;
  if (trailers_) return;  // complete, and only told later
  fail_call(error_of_reset(code));
}

// ---- one connection ----

GrpcClientConnection::GrpcClientConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                           const GrpcChannelOptions& options, Duration keepalive_interval,
                                           Owner& owner)
    : owner_(&owner),
      transport_(loop, std::move(stream), *this,
                 Http2TransportOptions{.role = codec::Http2Session::Role::client,
                                       .streams_max = limits::http2_streams_max,
                                       .keepalive_interval = keepalive_interval,
                                       .keepalive_timeout = options.keepalive_timeout},
                 [this](const Error* error) { transport_closed(error); }) {}

GrpcClientConnection::~GrpcClientConnection() { drop(); }

void GrpcClientConnection::drop() {
  owner_ = nullptr;
  for (const auto& [id, call] : std::exchange(calls_, {})) call->abandon();
}

bool GrpcClientConnection::begin(const std::shared_ptr<GrpcClientCall>& call, const codec::RequestHead& head,
                                 codec::StreamId& id) {
  const auto made = transport_.session().request(head, false);
  if (!made) return false;
  id = *made;
  calls_.emplace(id, call);
  transport_.keep_alive(true);
  return true;
}

void GrpcClientConnection::forget(codec::StreamId id) {
  calls_.erase(id);
  if (calls_.empty()) transport_.keep_alive(false);
}

std::shared_ptr<GrpcClientCall> GrpcClientConnection::find(codec::StreamId id) const {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : found->second;
}

void GrpcClientConnection::shut_down() {
  transport_.session().shut_down();
  transport_.flush();
}

void GrpcClientConnection::http2_response(codec::StreamId id, codec::ResponseHead&& head, bool end) {
  if (!std::exchange(proved_, true) && owner_ != nullptr) owner_->connection_proved();
  if (const auto call = find(id)) call->response(std::move(head), end);
}

void GrpcClientConnection::http2_data(codec::StreamId id, std::string_view bytes) {
  if (const auto call = find(id)) call->data(bytes);
}

void GrpcClientConnection::http2_end(codec::StreamId id, codec::Headers&& trailers) {
  if (const auto call = find(id)) call->end(trailers);
}

void GrpcClientConnection::http2_drained(codec::StreamId id) {
  if (const auto call = find(id)) call->drained();
}

void GrpcClientConnection::http2_closed(codec::StreamId id, codec::Http2Code code) {
  const auto call = find(id);
  if (!call) return;
  forget(id);
  call->reset(code);
}

void GrpcClientConnection::http2_goaway(codec::StreamId, codec::Http2Code code, std::string_view debug) {
  if (owner_ == nullptr) return;
  if (code == codec::Http2Code::enhance_your_calm && debug == "too_many_pings")
    owner_->connection_wants_calm();
  owner_->connection_leaving(*this, nullptr);
}

void GrpcClientConnection::transport_closed(const Error* error) {
  const Error lost = error != nullptr ? *error : Error{Code::closed, "the connection was closed"};
  if (owner_ != nullptr) owner_->connection_leaving(*this, &lost);
  for (const auto& [id, call] : std::exchange(calls_, {})) {
    call->connection_ = nullptr;
    if (owner_ == nullptr) {
      call->abandon();  // the one before destroyed the channel
    } else if (!call->trailers_) {
      call->fail_call(Error{Code::unavailable, str_cat("connection lost: ", lost.message)});
    }
  }
  if (owner_ != nullptr) owner_->connection_over(*this);
}

}  // namespace weft::http
