#include "http/grpc_server_connection.h"

#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace weft::http {
namespace {

using codec::GrpcCode;
using codec::GrpcStatus;

// A message more than this much behind a caller that does not read ends the call: its handler is not looking
// at writable().
constexpr std::size_t unsent_bytes_max = 4 * limits::grpc_message_bytes_max;
// How long a caller may take to go once it was told to.
constexpr auto leave_timeout = std::chrono::seconds(10);

codec::ResponseHead response_head() {
  codec::ResponseHead head;
  head.status = 200;
  head.headers.add("content-type", "application/grpc");
  return head;
}

void add_status(codec::Headers& headers, const GrpcStatus& status) {
  headers.add("grpc-status", std::to_string(static_cast<unsigned>(status.code)));
  if (!status.message.empty()) headers.add("grpc-message", codec::encode_grpc_message(status.message));
}

bool is_grpc(const codec::Headers& headers) {
  const std::string type = ascii_lower(headers.get("content-type").value_or(""));
  constexpr std::string_view grpc = "application/grpc";
  if (!std::string_view(type).starts_with(grpc)) return false;
  return type.size() == grpc.size() || type[grpc.size()] == '+' || type[grpc.size()] == ';';
}

bool is_metadata(std::string_view name) {
  return !name.starts_with("grpc-") && name != "content-type" && name != "te" && name != "user-agent";
}

}  // namespace

// ---- one call ----

void GrpcServerCall::send_head() {
  if (head_sent) return;
  head_sent = true;
  connection->transport_.session().respond(id, response_head(), false);
}

void GrpcServerCall::send(std::string_view bytes) {
  if (connection == nullptr || outcome) return;
  if (connection->transport_.session().queued(id) + bytes.size() > unsent_bytes_max) {
    outcome = GrpcStatus{GrpcCode::resource_exhausted, "the caller does not read what it is sent"};
    connection->transport_.session().reset(id, codec::Http2Code::enhance_your_calm);
  } else {
    send_head();
    std::string frame;
    codec::write_grpc_frame(frame, bytes);
    connection->transport_.session().send_data(id, frame);
  }
  connection->transport_.flush();
}

bool GrpcServerCall::writable() const {
  return connection != nullptr && !outcome &&
         connection->transport_.session().queued(id) <= limits::write_high_bytes;
}

void GrpcServerCall::finish(GrpcStatus status) {
  if (connection == nullptr || outcome) return;
  inbound.stop();
  if (head_sent) {
    codec::Headers trailers;
    add_status(trailers, status);
    connection->transport_.session().send_end(id, trailers);
  } else {
    codec::ResponseHead head = response_head();
    add_status(head.headers, status);
    connection->transport_.session().respond(id, head, true);
  }
  outcome = std::move(status);
  connection->transport_.flush();
}

void GrpcServerCall::resume() {
  if (!inbound.paused()) return;
  inbound.resume();
  if (connection != nullptr) connection->deliver_later(*this);
}

void GrpcServerCall::reply(std::string_view bytes) {
  send(bytes);
  finish(GrpcStatus{});
}

// ---- the answer to a unary call ----

GrpcResponder::~GrpcResponder() {
  if (active()) fail(GrpcStatus{GrpcCode::internal, "the server dropped the call without an answer"});
}

void GrpcResponder::reply(std::string_view message) {
  if (const auto call = call_.lock()) call->reply(message);
}

void GrpcResponder::fail(GrpcStatus status) {
  if (const auto call = call_.lock()) call->finish(std::move(status));
}

bool GrpcResponder::active() const {
  const auto call = call_.lock();
  return call && call->connection != nullptr && !call->outcome;
}

// ---- one connection ----

GrpcServerConnection::GrpcServerConnection(GrpcServer& server, std::unique_ptr<io::Stream> stream,
                                           GrpcPeer peer)
    : server_(server),
      peer_(std::make_shared<const GrpcPeer>(std::move(peer))),
      transport_(server.loop_, std::move(stream), *this,
                 Http2TransportOptions{.role = codec::Http2Session::Role::server,
                                       .streams_max = server.options_.streams_max,
                                       .keepalive_interval = server.options_.keepalive_interval,
                                       .keepalive_timeout = server.options_.keepalive_timeout},
                 [this](const Error* error) { transport_closed(error); }) {
  idle_timer_ = server.loop_.make_timer(anchor_.guard([this] { idle_fired(); }));
  transport_.keep_alive(true);
  idle_timer_->start(server.options_.idle_timeout);
}

GrpcServerConnection::~GrpcServerConnection() {
  for (const auto& [id, call] : calls_) call->connection = nullptr;
}

std::shared_ptr<GrpcServerCall> GrpcServerConnection::find(codec::StreamId id) const {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : found->second;
}

void GrpcServerConnection::http2_request(codec::StreamId id, codec::RequestHead&& head, bool end) {
  if (!is_grpc(head.headers)) {
    codec::ResponseHead answer;
    answer.status = 415;
    answer.headers.add("accept-post", "application/grpc");
    transport_.session().respond(id, answer, true);
    return;
  }
  auto call = std::make_shared<GrpcServerCall>(*this, id, server_.options_.message_bytes_max);
  call->half_closed = end;
  calls_.emplace(id, call);
  idle_timer_->stop();
  if (GrpcStatus refused = read_head(*call, std::move(head)); !refused.ok()) {
    call->finish(std::move(refused));
    return;
  }
  begin(call);
}

GrpcStatus GrpcServerConnection::read_head(GrpcServerCall& call, codec::RequestHead&& head) {
  call.request.method = std::move(head.target);
  call.request.peer = peer_;
  for (codec::Header& field : head.headers.fields()) {
    if (is_metadata(field.name)) call.request.metadata.add(field.name, field.value);
  }
  if (const auto text = head.headers.get("grpc-timeout")) {
    const auto timeout = codec::parse_grpc_timeout(*text);
    if (!timeout) return {GrpcCode::internal, str_cat("malformed grpc-timeout '", printable(*text), "'")};
    // A deadline beyond the clock's end is none.
    if (*timeout < MonotonicTime::max() - server_.loop_.now())
      call.request.deadline = server_.loop_.now() + *timeout;
  }
  const auto encoding = head.headers.get("grpc-encoding").value_or("identity");
  if (encoding != "identity") {
    return {GrpcCode::unimplemented, str_cat("grpc-encoding '", printable(encoding), "' is not offered")};
  }
  if (head.method != "POST") return {GrpcCode::internal, "a gRPC call is a POST"};
  if (server_.find(call.request.method) == nullptr) {
    return {GrpcCode::unimplemented, str_cat("no method ", printable(call.request.method))};
  }
  return {};
}

void GrpcServerConnection::begin(const std::shared_ptr<GrpcServerCall>& call) {
  if (call->request.deadline) {
    call->deadline = server_.loop_.make_timer(anchor_.guard([this, id = call->id] { deadline_passed(id); }));
    call->deadline->start(*call->request.deadline - server_.loop_.now());
  }
  const GrpcServer::Method& method = *server_.find(call->request.method);
  if (method.unary) {
    call->unary = &method.unary;
  } else {
    call->handler = method.stream(call->request, *call);
    // The head goes out at once: it tells the caller that somebody listens.
    if (!call->outcome) call->send_head();
  }
  if (call->half_closed) tell_half_closed(call);
}

void GrpcServerConnection::http2_data(codec::StreamId id, std::string_view bytes) {
  const auto call = find(id);
  if (!call || call->outcome) {
    transport_.session().consume(id, bytes.size());
    return;
  }
  deliver(call, bytes);
}

void GrpcServerConnection::deliver(const std::shared_ptr<GrpcServerCall>& call, std::string_view bytes) {
  std::size_t taken = 0;
  const Status delivered = call->inbound.deliver(
      bytes, [this, &call](std::string_view message) { take(call, message); }, taken);
  transport_.session().consume(call->id, taken);
  if (!delivered && !call->outcome) {
    const bool too_large = delivered.error().code == Code::limit;
    call->finish({too_large ? GrpcCode::resource_exhausted : GrpcCode::internal, delivered.error().message});
  }
}

void GrpcServerConnection::take(const std::shared_ptr<GrpcServerCall>& call, std::string_view message) {
  if (call->unary == nullptr) {
    if (call->handler) call->handler->message(message);
  } else if (call->message) {
    call->finish({GrpcCode::unimplemented, "a unary call has one message"});
  } else {
    call->message.emplace(message);
  }
}

void GrpcServerConnection::http2_end(codec::StreamId id, codec::Headers&&) {
  const auto call = find(id);
  if (!call) return;
  call->half_closed = true;
  tell_half_closed(call);
}

void GrpcServerConnection::tell_half_closed(const std::shared_ptr<GrpcServerCall>& call) {
  if (call->outcome || call->half_closed_told || call->inbound.paused()) return;
  if (!call->inbound.at_boundary()) {
    call->finish({GrpcCode::internal, "the request ended within a message"});
    return;
  }
  call->half_closed_told = true;
  if (call->unary == nullptr) {
    if (call->handler) call->handler->half_closed();
  } else if (!call->message) {
    call->finish({GrpcCode::unimplemented, "a unary call has one message, and none came"});
  } else {
    const std::string message = std::move(*call->message);
    call->message.emplace();
    (*call->unary)(call->request, message, GrpcResponder(call));
  }
}

void GrpcServerConnection::deliver_later(GrpcServerCall& call) {
  server_.loop_.defer(anchor_.guard([this, id = call.id] {
    const auto found = find(id);
    if (!found || found->outcome || found->inbound.paused()) return;
    deliver(found, {});
    if (found->half_closed) tell_half_closed(found);
    transport_.flush();
  }));
}

void GrpcServerConnection::http2_drained(codec::StreamId id) {
  const auto call = find(id);
  if (call && call->handler && !call->outcome) call->handler->drained();
}

void GrpcServerConnection::http2_closed(codec::StreamId id, codec::Http2Code code) {
  const auto call = find(id);
  if (!call) return;
  calls_.erase(id);
  if (call->outcome) {
    end_call(*call, *call->outcome);
  } else {
    const GrpcCode grpc = codec::grpc_code_of_reset(static_cast<std::uint32_t>(code));
    end_call(*call, {grpc, str_cat("the caller reset the call: ", codec::http2_code_name(code))});
  }
  if (calls_.empty() && !leaving_) idle_timer_->start(server_.options_.idle_timeout);
}

void GrpcServerConnection::end_call(GrpcServerCall& call, const GrpcStatus& status) {
  call.connection = nullptr;
  call.deadline.reset();
  if (!call.handler) return;
  call.handler->closed(status);
  call.handler.reset();
}

void GrpcServerConnection::deadline_passed(codec::StreamId id) {
  const auto call = find(id);
  if (!call) return;
  if (call->outcome) {
    // It was answered, but the caller does not read the answer.
    transport_.session().reset(id, codec::Http2Code::cancel);
    transport_.flush();
    return;
  }
  call->finish({GrpcCode::deadline_exceeded, "the deadline passed"});
  call->deadline->start(leave_timeout);
}

void GrpcServerConnection::shut_down() {
  leaving_ = true;
  transport_.session().shut_down();
  transport_.flush();
}

void GrpcServerConnection::idle_fired() {
  if (leaving_) {
    abort(Error{Code::timeout, "told to go for being idle, it did not"});
    return;
  }
  shut_down();
  idle_timer_->start(leave_timeout);
}

void GrpcServerConnection::transport_closed(const Error* error) {
  if (error != nullptr && error->code != Code::closed) {
    log::info("gRPC connection ended", {{"peer", peer_->address.to_string()}, {"reason", error->message}});
  }
  const GrpcStatus status{GrpcCode::unavailable, error != nullptr ? error->message : "the connection ended"};
  for (const auto& [id, call] : std::exchange(calls_, {})) end_call(*call, call->outcome.value_or(status));
  server_.connection_closed(*this);
}

}  // namespace weft::http
