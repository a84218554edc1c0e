#include "http/http2_connection.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace weft::http {
namespace {

// How long a peer may take to go once it was told to.
constexpr auto leave_timeout = std::chrono::seconds(10);

}  // namespace

Http2Connection::Http2Connection(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                 codec::Http2Session::Role role, const codec::PeerLimits& limits,
                                 Duration idle_timeout, bool ping_when_silent, std::string already_read)
    : loop_(loop),
      role_(role),
      idle_timeout_(idle_timeout),
      quiet_since_(loop.now()),
      transport_(loop, std::move(stream), *this,
                 Http2TransportOptions{
                     .role = role,
                     .limits = limits,
                     .keepalive_interval = ping_when_silent ? limits::http2_keepalive_interval : Duration{},
                     .keepalive_timeout = limits::http2_keepalive_timeout,
                     .already_read = std::move(already_read)},
                 [this](const Error* error) { transport_closed(error); }),
      deadline_(loop, [this] { look_for_idle(); }) {
  deadline_.set(idle_timeout_);
}

Http2Stream* Http2Connection::find(codec::StreamId id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void Http2Connection::add(std::unique_ptr<Http2Stream> stream) {
  const codec::StreamId id = stream->id;
  streams_.emplace(id, std::move(stream));
  if (streams_.size() == 1) transport_.keep_alive(true);
}

void Http2Connection::forget(Http2Stream& stream) {
  auto node = streams_.extract(stream.id);
  if (node.empty()) return;
  loop_.delete_later(std::move(node.mapped()));
  if (streams_.empty()) {
    quiet_since_ = loop_.now();
    transport_.keep_alive(false);
  }
  stream_gone();
  if (closed_ && streams_.empty()) tell_closed(why_closed_ ? &*why_closed_ : nullptr);
}

void Http2Connection::forget_later(const Http2Stream& stream) {
  loop_.defer(anchor_.guard([this, id = stream.id] {
    if (Http2Stream* const found = find(id)) forget(*found);
  }));
}

// ---- the incoming half ----

void Http2Connection::http2_data(codec::StreamId id, std::string_view bytes) {
  Http2Stream* const stream = find(id);
  if (stream == nullptr) return session().consume(id, bytes.size());
  touch(*stream);
  stream->owed += bytes.size();
  if (stream->paused || !stream->held.empty()) {
    stream->held.append(bytes);
    return;
  }
  stream->body_arrived(bytes);
  give_back(*stream);
}

// The window opens for what was taken: a taker that pauses stops its own stream and no other.
void Http2Connection::give_back(Http2Stream& stream) {
  if (!stream.paused) session().consume(stream.id, std::exchange(stream.owed, 0));
}

void Http2Connection::http2_end(codec::StreamId id, codec::Headers&& trailers) {
  Http2Stream* const stream = find(id);
  if (stream == nullptr) return;
  touch(*stream);
  stream->incoming_ended = true;
  stream->trailers = std::move(trailers);
  if (!stream->paused && stream->held.empty()) tell_end(*stream);
}

void Http2Connection::tell_end(Http2Stream& stream) {
  if (!std::exchange(stream.incoming_told, true)) stream.message_ended();
}

void Http2Connection::resume(Http2Stream& stream) {
  if (!std::exchange(stream.paused, false)) return;
  loop_.defer(anchor_.guard([this, id = stream.id] { deliver_held(id); }));
}

void Http2Connection::deliver_held(codec::StreamId id) {
  Http2Stream* const stream = find(id);
  if (stream == nullptr || stream->paused) return;
  if (!stream->held.empty()) {
    const std::string bytes = std::exchange(stream->held, {});
    stream->body_arrived(bytes);
  }
  give_back(*stream);
  flush();
  if (find(id) == nullptr || stream->paused) return;
  if (stream->incoming_ended) tell_end(*stream);
  if (stream->session_closed && find(id) != nullptr) finish(*stream, codec::Http2Code::no_error);
}

// ---- the outgoing half ----

bool Http2Connection::has_room(const Http2Stream& stream) const {
  return session().queued(stream.id) <= limits::write_high_bytes;
}

void Http2Connection::send_data(Http2Stream& stream, std::string_view bytes) {
  touch(stream);
  session().send_data(stream.id, bytes);
  flush();
}

void Http2Connection::send_trailers(Http2Stream& stream, const codec::Headers& trailers) {
  touch(stream);
  session().send_end(stream.id, trailers);
  flush();
}

void Http2Connection::http2_drained(codec::StreamId id) {
  Http2Stream* const stream = find(id);
  if (stream == nullptr) return;
  touch(*stream);
  stream->outgoing_drained();
}

// ---- the end ----

void Http2Connection::http2_closed(codec::StreamId id, codec::Http2Code code) {
  Http2Stream* const stream = find(id);
  if (stream == nullptr) return;
  const bool complete = code == codec::Http2Code::no_error && stream->incoming_ended;
  if (role_ == codec::Http2Session::Role::client && complete && !stream->incoming_told) {
    stream->session_closed = true;  // its taker has not read to the end
    return;
  }
  finish(*stream, code);
}

void Http2Connection::finish(Http2Stream& stream, codec::Http2Code code) {
  // Told first: "the connection is over" comes behind it.
  stream.closed(code);
  forget(stream);
}

void Http2Connection::shut_down() {
  if (std::exchange(draining_, true)) return;
  leave_by_ = loop_.now() + leave_timeout;
  if (streams_.empty()) deadline_.set(leave_timeout);
  session().shut_down();
  flush();
  if (role_ != codec::Http2Session::Role::server) return;
  notice_timer_ = loop_.make_timer(anchor_.guard([this] {
    session().close_the_door();
    flush();
  }));
  notice_timer_->start(limits::http2_notice_timeout);
}

void Http2Connection::transport_closed(const Error* error) {
  closed_ = true;
  if (error != nullptr) why_closed_ = *error;
  deadline_.stop();
  notice_timer_.reset();
  if (streams_.empty()) return tell_closed(error);
  const Error why = error != nullptr ? *error : Error{Code::closed, "the connection ended"};
  std::vector<Http2Stream*> broken;
  for (const auto& [id, stream] : streams_) {
    if (!stream->session_closed) broken.push_back(stream.get());
  }
  for (Http2Stream* const stream : broken) {
    stream->broken(why);
    forget(*stream);
  }
}

void Http2Connection::look_for_idle() {
  const MonotonicTime now = loop_.now();
  MonotonicTime next = now + idle_timeout_;
  std::vector<Http2Stream*> idle;
  for (const auto& [id, stream] : streams_) {
    const MonotonicTime due = stream->touched + stream->idle_limit;
    if (due <= now)
      idle.push_back(stream.get());
    else
      next = std::min(next, due);
  }
  for (Http2Stream* const stream : idle) {
    session().reset(stream->id, codec::Http2Code::cancel);
    stream->broken(Error{Code::timeout, "nothing was sent or received for too long"});
    forget(*stream);
  }
  if (streams_.empty()) {
    if (!draining_ && now >= quiet_since_ + idle_timeout_) shut_down();
    next = draining_ ? leave_by_ : quiet_since_ + idle_timeout_;
    if (draining_ && now >= leave_by_) {
      return transport_.abort(Error{Code::timeout, "told to go, the peer did not"});
    }
  }
  flush();
  deadline_.set(next - now);
}

}  // namespace weft::http
