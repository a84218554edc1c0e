#include "http/http1_connection.h"

#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace weft::http {

Http1Connection::Http1Connection(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                 codec::Http1Parser::Role role, const codec::PeerLimits& limits)
    : loop_(loop),
      stream_(std::move(stream)),
      parser_(role, limits),
      deadline_(loop, [this] { deadline_reached(); }) {}

// ---- what comes in ----

bool Http1Connection::can_read() const {
  return phase_ == Phase::exchange && !failing_ && !paused_ && !finish_scheduled_ &&
         (incoming_ == Incoming::message || incoming_ == Incoming::tunnel);
}

void Http1Connection::stream_data(std::string_view bytes) {
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

// Takes what it can of `bytes`, which is all that is there.
void Http1Connection::read(std::string_view bytes) {
  const auto alive = anchor_.watch();
  while (can_read()) {
    if (incoming_ == Incoming::tunnel) {
      if (bytes.empty()) break;
      body_arrived(std::exchange(bytes, {}));
      if (!alive()) return;
      continue;
    }
    const codec::Http1Event event = parser_.next(bytes);
    if (event.kind == codec::Http1Event::Kind::need_more) break;
    switch (event.kind) {
      case codec::Http1Event::Kind::head:
        head_arrived();
        break;
      case codec::Http1Event::Kind::body:
        body_arrived(event.body);
        break;
      case codec::Http1Event::Kind::end:
        end_incoming(take_trailers());
        break;
      case codec::Http1Event::Kind::error:
        return malformed(parser_.error());
      case codec::Http1Event::Kind::need_more:
        break;
    }
    if (!alive()) return;
  }
  reading_stopped(bytes);
}

void Http1Connection::keep(std::string_view rest) {
  if (rest.empty()) return;
  input_ = std::string(rest);
  stream_->pause();
}

void Http1Connection::read_pending() {
  if (!can_read()) return;
  const auto alive = anchor_.watch();
  const std::string bytes = std::exchange(input_, {});
  read(bytes);
  if (!alive() || failing_ || !input_.empty()) return;
  if (peer_ended_) return peer_ended_in_order();
  stream_->resume();
}

void Http1Connection::read_later() {
  if (std::exchange(read_scheduled_, true)) return;
  loop_.defer(anchor_.guard([this] {
    read_scheduled_ = false;
    read_pending();
  }));
}

void Http1Connection::unpause() {
  paused_ = false;
  read_later();
}

void Http1Connection::skip_implied_end() {
  std::string_view nothing;
  parser_.next(nothing);
}

codec::Headers Http1Connection::take_trailers() {
  codec::Headers trailers = std::move(parser_.trailers());
  codec::strip_hop_by_hop(trailers, false);
  return trailers;
}

void Http1Connection::end_incoming(const codec::Headers& trailers) {
  incoming_ = Incoming::complete;
  const auto alive = anchor_.watch();
  message_ended(trailers);
  if (alive()) finish_if_complete();
}

void Http1Connection::stream_end() {
  peer_ended_ = true;
  if (failing_ || phase_ == Phase::closed) return;
  if (phase_ == Phase::closing) return close_if_over();
  if (input_.empty()) peer_ended_in_order();
}

// ---- what goes out ----

void Http1Connection::write_body(std::string_view bytes) {
  if (failing_ || phase_ != Phase::exchange || bytes.empty()) return;
  touch();
  switch (outgoing_) {
    case Outgoing::length:
      if (bytes.size() > outgoing_remaining_) return fail(length_mismatch("longer"));
      outgoing_remaining_ -= bytes.size();
      return write(bytes);
    case Outgoing::chunked: {
      std::string line;
      codec::append_chunk_line(line, bytes.size());
      write(line);
      write(bytes);
      return write(codec::chunk_end);
    }
    case Outgoing::until_close:
    case Outgoing::tunnel:
      return write(bytes);
    case Outgoing::no_body:
    case Outgoing::held:  // refused, or answered too late to matter
      return;
    case Outgoing::waiting:
    case Outgoing::complete:
      WEFT_CHECK(false);
  }
}

void Http1Connection::write_end(const codec::Headers& trailers) {
  if (failing_ || phase_ != Phase::exchange) return;
  WEFT_CHECK(outgoing_ != Outgoing::waiting && outgoing_ != Outgoing::complete);
  touch();
  if (outgoing_ == Outgoing::length && outgoing_remaining_ > 0) return fail(length_mismatch("shorter"));
  if (outgoing_ == Outgoing::chunked) {
    std::string end;
    codec::append_last_chunk(end, trailers);
    write(end);
  } else if (outgoing_ == Outgoing::tunnel) {
    end_stream();
  }
  outgoing_ = Outgoing::complete;
  finish_if_complete();
}

void Http1Connection::stream_drained() {
  if (failing_ || phase_ == Phase::closed) return;
  if (ended_) end_sent_ = true;
  if (phase_ == Phase::closing) return close_if_over();
  touch();
  const bool sending = outgoing_ != Outgoing::complete && outgoing_ != Outgoing::held;
  if (phase_ == Phase::exchange && sending) outgoing_drained();
}

// ---- the end of an exchange, and of the connection ----

void Http1Connection::finish_if_complete() {
  if (failing_ || phase_ != Phase::exchange || !exchange_complete()) return;
  if (std::exchange(finish_scheduled_, true)) return;
  loop_.defer(anchor_.guard([this] {
    finish_scheduled_ = false;
    finish();
  }));
}

void Http1Connection::end_stream() {
  ended_ = true;
  stream_->end();
}

// What is left unsent must not look like all there was: the end of a tunnel, and of a body without a length,
// is the connection's.
void Http1Connection::give_up_closing() {
  if (!end_sent_) stream_->reset();
  closed(nullptr);
}

void Http1Connection::fail(const Error& error) {
  if (failing_ || phase_ == Phase::closed) return;
  failing_ = true;
  failure_ = error;
  stream_->pause();
  loop_.defer(anchor_.guard([this] { die(); }));
}

void Http1Connection::die() {
  if (phase_ == Phase::closed) return;
  const auto alive = anchor_.watch();
  abort_exchange();
  if (alive()) closed(&failure_);
}

void Http1Connection::closed(const Error* error) {
  if (std::exchange(phase_, Phase::closed) == Phase::closed) return;
  deadline_.stop();
  if (stream_ != nullptr) stream_->pause();
  tell_closed(error);
}

std::optional<std::uint64_t> content_length(const codec::Headers& headers) {
  const auto field = headers.get("content-length");
  if (!field) return std::nullopt;
  return parse_number<std::uint64_t>(*field).value_or(invalid_length);
}

}  // namespace weft::http
