#include "sidecar/connection.h"

#include <string>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "sidecar/telemetry.h"

namespace weft::sidecar {
namespace {

std::string name_of(Direction direction) { return direction == Direction::inbound ? "inbound" : "outbound"; }

std::string caller_of(const PeersRecord& peers) {
  return peers.source_identity.empty() ? peers.source_address : peers.source_identity;
}

}  // namespace

Connection::Connection(WorkerContext& context, ConnectionOwner& owner, std::unique_ptr<io::Stream> downstream,
                       const Address& destination, Direction direction)
    : context_(context),
      owner_(owner),
      destination_(destination),
      started_(context.loop.now()),
      downstream_(std::move(downstream)) {
  record_.started = context_.loop.wall_now();
  record_.peers.direction = direction;
  record_.peers.source_address = downstream_->peer_address().to_string();
  record_.peers.destination_address = destination_.to_string();
  context_.telemetry.connection_opened(direction);
}

Connection::~Connection() = default;

void Connection::serve_http(Gate& gate) {
  downstream_->resume();
  http_ = std::make_unique<HttpDownstream>(context_, gate, protocol_, std::move(downstream_),
                                           std::move(start_.from_downstream), record_.peers,
                                           anchor_.guard([this](const Error* error) { http_closed(error); }));
}

// What breaks HTTP/2 may belong to no request that tells of it; HTTP/1 has answered with a 4xx.
void Connection::http_closed(const Error* error) {
  if (error != nullptr && protocol_ == http::HttpProtocol::http2) {
    if (error->code == Code::invalid) note_end("protocol-error", error->message);
    if (error->code == Code::limit) note_end("flood", error->message);
    // Nobody else is pinged.
    if (error->code == Code::unavailable && record_.peers.from_sidecar)
      note_end("peer-silent", error->message);
  }
  over("");
}

// ---- an undeclared protocol ----

Duration Connection::silence() const {
  return context_.server_first.contains(destination_, basis()) ? Duration::zero()
                                                               : Duration(limits::detect_silence);
}

void Connection::await_first_word(Preread::Result read) {
  first_word_ = std::make_unique<FirstWord>(
      context_.loop, std::move(read.stream), std::move(read.bytes),
      anchor_.guard([this](FirstWord::Result result) { first_word_done(std::move(result)); }));
  open_upstream();
}

void Connection::first_word_done(FirstWord::Result result) {
  context_.loop.delete_later(std::move(first_word_));
  upstream_ = std::move(result.upstream);
  start_.from_upstream = std::move(result.from_upstream);
  start_.upstream_ended = result.upstream_ended;
  if (result.client.outcome == Preread::Outcome::failed) {
    drop_upstream();
    return over("downstream-closed");
  }
  if (result.client.outcome != Preread::Outcome::silent) {
    context_.server_first.forget(destination_);
    return client_spoke(std::move(result.client));
  }
  take(std::move(result.client));
  if (result.upstream_failed) return refuse("upstream-reset", result.error.message);
  if (!result.server_first) return refuse("idle-timeout", "neither side has said anything");
  context_.server_first.learn(destination_, basis());
  join();
}

void Connection::client_spoke(Preread::Result read) {
  using Kind = codec::Detection::Kind;
  const Kind kind = read.detection.kind;
  // What is no HTTP where it was declared is told so, by a 400.
  const bool http = kind == Kind::http1 || kind == Kind::http2 || declared_http_;
  if (kind == Kind::http2) protocol_ = http::HttpProtocol::http2;
  take(std::move(read));
  if (http) {
    // An upstream that was opened during the silence has not been touched: it is dropped, and HTTP it is.
    drop_upstream();
    return serve_http();
  }
  if (upstream_) return join();
  if (!opening_) open_upstream();
}

void Connection::await_http(Preread::Result read) {
  const bool begun = !read.bytes.empty();
  take(std::move(read));
  // A head that stops in its first line is timed by whoever reads heads.
  if (begun) return serve_http();
  if (context_.loop.now() - started_ >= limits::http_idle_timeout) return over("idle-timeout");
  preread(limits::header_read_timeout);
}

void Connection::take(Preread::Result read) {
  downstream_ = std::move(read.stream);
  start_.from_downstream = std::move(read.bytes);
  start_.downstream_ended = read.outcome == Preread::Outcome::ended;
}

// ---- opaque TCP ----

void Connection::upstream_connected(std::unique_ptr<io::Stream> upstream) {
  if (first_word_) return first_word_->connected(std::move(upstream));
  upstream_ = std::move(upstream);
  join();
}

void Connection::drop_upstream() {
  opening_ = false;
  connecting_.reset();
  if (upstream_) context_.loop.delete_later(std::move(upstream_));
  start_.from_upstream.clear();
  start_.upstream_ended = false;
}

void Connection::join() {
  context_.telemetry.connection_joined(record_.peers);
  tunnel_ = std::make_unique<Tunnel>(
      context_.loop, std::move(downstream_), std::move(upstream_), start_, limits::tcp_idle_timeout,
      anchor_.guard([this](const TunnelResult& result) { over(note_result(result, record_)); }));
  start_ = TunnelStart();
  joined();
}

// ---- the end ----

void Connection::note_end(std::string_view reason, std::string_view why) {
  if (!std::exchange(ended_by_, reason).empty()) return;
  const PeersRecord& peers = record_.peers;
  log::info("connection ends", {{"direction", name_of(peers.direction)},
                                {"caller", caller_of(peers)},
                                {"destination", peers.destination_address},
                                {"reason", std::string(reason)},
                                {"why", std::string(why)}});
  context_.telemetry.connection_ended(peers.direction, reason);
}

void Connection::refuse(std::string_view reason, std::string_view text) {
  const PeersRecord& peers = record_.peers;
  log::info("connection refused", {{"direction", name_of(peers.direction)},
                                   {"caller", caller_of(peers)},
                                   {"destination", peers.destination_address},
                                   {"reason", std::string(reason)},
                                   {"why", std::string(text)}});
  context_.telemetry.connection_refused(peers.direction, reason);
  // A reset, so that the caller does not take it for a clean, empty answer.
  if (preread_) downstream_ = preread_->take().stream;
  if (first_word_) downstream_ = first_word_->take_client();
  if (downstream_) downstream_->reset();
  over(reason);
}

void Connection::over(std::string_view reason) {
  if (over_) return;
  over_ = true;
  record_.reason = ended_by_.empty() ? reason : ended_by_;
  record_.duration = context_.loop.now() - started_;
  if (!http_) context_.telemetry.connection_done(record_, tunnel_ != nullptr);
  anchor_.drop();
  owner_.connection_over(*this);
}

}  // namespace weft::sidecar
