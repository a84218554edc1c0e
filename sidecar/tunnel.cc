#include "sidecar/tunnel.h"

namespace weft::sidecar {

std::string_view note_result(const TunnelResult& result, ConnectionRecord& record) {
  record.sent_bytes = result.upstream_bytes;
  record.received_bytes = result.downstream_bytes;
  if (!result.error) return "";
  return result.failed_upstream ? "upstream-reset" : "downstream-reset";
}

Tunnel::Tunnel(io::Loop& loop, std::unique_ptr<io::Stream> downstream, std::unique_ptr<io::Stream> upstream,
               const TunnelStart& start, Duration idle_timeout, Function<void(const TunnelResult&)> done)
    : loop_(loop), idle_timeout_(idle_timeout), last_moved_(loop.now()), done_(std::move(done)) {
  downstream_.tunnel = upstream_.tunnel = this;
  downstream_.other = &upstream_;
  upstream_.other = &downstream_;
  downstream_.stream = std::move(downstream);
  upstream_.stream = std::move(upstream);
  idle_timer_ = loop_.make_timer(anchor_.guard([this] {
    const Duration idle = loop_.now() - last_moved_;
    if (idle < idle_timeout_) return idle_timer_->start(idle_timeout_ - idle);
    abort(Error{Code::timeout, "no byte moved within the idle time-out"});
  }));
  idle_timer_->start(idle_timeout_);
  downstream_.stream->start(downstream_);
  upstream_.stream->start(upstream_);
  downstream_.stream->resume();
  upstream_.stream->resume();
  if (!start.from_downstream.empty()) downstream_.stream_data(start.from_downstream);
  if (!start.from_upstream.empty()) upstream_.stream_data(start.from_upstream);
  if (start.downstream_ended) downstream_.stream_end();
  if (start.upstream_ended) upstream_.stream_end();
}

Tunnel::~Tunnel() = default;

void Tunnel::abort(const Error& why) { fail_from(downstream_, why); }

void Tunnel::touch() { last_moved_ = loop_.now(); }

void Tunnel::Side::stream_data(std::string_view bytes) {
  tunnel->touch();
  received_bytes += bytes.size();
  other->stream->write(bytes);
  if (!other->stream->writable()) stream->pause();
}

void Tunnel::Side::stream_end() {
  tunnel->touch();
  read_ended = true;
  other->stream->end();
}

void Tunnel::Side::stream_drained() {
  tunnel->touch();
  if (other->read_ended && stream->queued_bytes() == 0) {
    flushed = true;
    return tunnel->check_done();
  }
  other->stream->resume();
}

void Tunnel::Side::stream_failed(const Error& error) { tunnel->fail_from(*this, error); }

void Tunnel::check_done() {
  if (downstream_.flushed && upstream_.flushed) finish();
}

void Tunnel::fail_from(Side& side, const Error& error) {
  if (finished_) return;
  error_ = error;
  failed_upstream_ = &side == &upstream_;
  // A half-delivered stream must not look like a complete one to the other side.
  side.stream->reset();
  side.other->stream->reset();
  finish();
}

void Tunnel::finish() {
  if (finished_) return;
  finished_ = true;
  idle_timer_->stop();
  downstream_.stream->pause();
  upstream_.stream->pause();
  loop_.defer(anchor_.guard([this] {
    TunnelResult result;
    result.upstream_bytes = downstream_.received_bytes;
    result.downstream_bytes = upstream_.received_bytes;
    result.error = error_;
    result.failed_upstream = failed_upstream_;
    done_(result);
  }));
}

}  // namespace weft::sidecar
