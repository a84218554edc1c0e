#include "tests/sim/sim_stream.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"

namespace weft::sim {

std::size_t SimConnection::room_towards(const SimEnd& end) const {
  const std::size_t used = end.in_flight_bytes + end.arrived.size();
  const std::size_t limit = network.options_.in_flight_bytes_max;
  return used < limit ? limit - used : 0;
}

void SimConnection::send(SimEnd& from, std::string_view bytes) {
  SimEnd& to = other(from);
  while (!bytes.empty() && !to.cut) {
    if (network.chance(network.options_.reset_chance)) {
      send_reset(from);
      send_reset(to);
      return;
    }
    if (network.chance(network.options_.truncate_chance)) {
      send_fin(from);
      return;
    }
    const std::size_t most = std::min(bytes.size(), network.options_.chunk_bytes_max);
    const std::size_t count = 1 + network.random_.below(most);
    to.in_flight_bytes += count;
    travel(to, std::string(bytes.substr(0, count)), false);
    bytes.remove_prefix(count);
  }
}

void SimConnection::send_fin(SimEnd& from) {
  SimEnd& to = other(from);
  if (to.cut) return;
  travel(to, {}, true);
  to.cut = true;
}

// In the order they were sent, however long each takes.
void SimConnection::travel(SimEnd& to, std::string bytes, bool fin) {
  Duration delay = network.random_delay();
  if (network.chance(network.options_.stall_chance)) {
    const auto most = network.options_.stall_max.count();
    delay += Duration(network.random_.below(static_cast<std::uint64_t>(most) + 1));
  }
  to.last_arrival = std::max(to.last_arrival, network.now_ + delay);
  to.travelling.push_back({std::move(bytes), fin});
  network.schedule(*to.loop, to.last_arrival - network.now_,
                   [self = shared_from_this(), &to] { self->arrive(to); });
}

// The first of what travels.
void SimConnection::arrive(SimEnd& to) {
  if (network.is_down(*to.loop) || network.is_down(*other(to).loop)) {
    // Sent again and again, until the host is back.
    to.last_arrival = std::max(to.last_arrival, network.now_ + std::chrono::milliseconds(200));
    network.schedule(*to.loop, std::chrono::milliseconds(200),
                     [self = shared_from_this(), &to] { self->arrive(to); });
    return;
  }
  const auto [bytes, fin] = std::move(to.travelling.front());
  to.travelling.pop_front();
  to.in_flight_bytes -= bytes.size();
  if (to.reset_arrived) return;
  if (to.closed) {
    if (!bytes.empty()) send_reset(to);
    return;
  }
  to.arrived.append(bytes);
  to.fin_arrived = to.fin_arrived || fin;
  if (to.stream) to.stream->deliver();
}

void SimConnection::send_reset(SimEnd& from) {
  SimEnd& to = other(from);
  to.cut = true;
  network.schedule(*to.loop, network.random_delay(),
                   [self = shared_from_this(), &to] { self->reset_arrive(to); });
}

void SimConnection::reset_arrive(SimEnd& to) {
  if (to.closed || to.reset_arrived) return;
  to.reset_arrived = true;
  other(to).cut = true;  // nothing that this end sends arrives any more
  if (to.stream) to.stream->deliver();
}

void SimConnection::make_room(SimEnd& reader) {
  SimEnd& writer = other(reader);
  network.schedule(*writer.loop, network.random_delay(), [self = shared_from_this(), &writer] {
    if (writer.stream) writer.stream->flush();
  });
}

void SimConnection::close(SimEnd& end, bool hard) {
  end.stream = nullptr;
  end.closed = true;
  if (end.reset_arrived) return;
  // A kernel that has unread bytes left tells the peer so.
  if (hard || !end.arrived.empty()) {
    send_reset(end);
  } else {
    send_fin(end);
  }
}

SimStream::SimStream(std::shared_ptr<SimConnection> connection, SimEnd& end)
    : connection_(std::move(connection)), end_(end) {
  end_.stream = this;
}

SimStream::~SimStream() {
  end_.loop->forget(*this);
  connection_->close(end_, hard_);
}

void SimStream::start(io::StreamHandler& handler) {
  handler_ = &handler;
  resume();
}

void SimStream::pause() {
  paused_ = true;
  watch_peer();
  if (failure_) end_.loop->flush_later(*this);
}

void SimStream::detach() {
  handler_ = nullptr;
  pause();
}

void SimStream::resume() {
  if (!std::exchange(paused_, false)) return;
  watch_peer();
  read_later();
}

void SimStream::read_later() {
  if (read_scheduled_) return;
  read_scheduled_ = true;
  connection_->network.schedule(*end_.loop, Duration::zero(), anchor_.guard([this] {
    read_scheduled_ = false;
    deliver();
  }));
}

// As the real loop does; that looks every second at every paused stream, which here would be events without
// end.
void SimStream::watch_peer() {
  const bool gone = (end_.fin_arrived && !end_told_) || end_.reset_arrived;
  if (!paused_ || failed_ || !handler_ || !gone) {
    look_.reset();
  } else if (!look_) {
    look_ = end_.loop->make_timer([this] { look(); });
    look_->start(limits::paused_look_interval);
  }
}

void SimStream::look() {
  look_->start(limits::paused_look_interval);
  // A reset behind a FIN takes nothing away.
  if (!end_.fin_arrived) {
    write_failed({Code::closed, "read: connection reset by peer"});
    report_failure();
  } else {
    handler_->stream_end_waits(end_.arrived.size());
  }
}

void SimStream::deliver() {
  watch_peer();
  if (paused_ || failed_ || !handler_) return;
  if (!end_.arrived.empty()) {
    const auto count = std::min(end_.arrived.size(), limits::read_chunk_bytes);
    const std::string bytes(end_.arrived.view().substr(0, count));
    end_.arrived.consume(count);
    connection_->make_room(end_);
    if (!end_.arrived.empty() || end_.fin_arrived || end_.reset_arrived) read_later();
    handler_->stream_data(bytes);
    return;
  }
  if (end_.reset_arrived || (end_.fin_arrived && failure_)) {
    if (!failure_) failure_ = Error{Code::closed, "read: connection reset by peer"};
    report_failure();
    return;
  }
  if (end_.fin_arrived && !std::exchange(end_told_, true)) handler_->stream_end();
}

void SimStream::write(std::string_view bytes) {
  if (failed_ || failure_ || ending_ || bytes.empty()) return;
  outgoing_.append(bytes);
  std::size_t& most = connection_->network.queued_bytes_max_;
  most = std::max(most, outgoing_.size());
  if (queued_bytes() > limits::write_high_bytes) above_high_ = true;
  end_.loop->flush_later(*this);
}

void SimStream::end() {
  if (ending_ || failed_) return;
  ending_ = true;
  end_.loop->flush_later(*this);
}

void SimStream::flush() {
  if (failed_) return;
  if (end_.reset_arrived && (!outgoing_.empty() || (ending_ && !fin_sent_))) {
    write_failed({Code::closed, "write: broken pipe"});
  }
  if (failure_) {
    // As on a real socket: what the peer said before is read first, unless nobody reads.
    if (paused_ || end_told_) report_failure();
    return;
  }
  const auto count = std::min(outgoing_.size(), connection_->room_towards(connection_->other(end_)));
  connection_->send(end_, outgoing_.view().substr(0, count));
  outgoing_.consume(count);
  bool drained = above_high_ && !ending_ && outgoing_.size() < limits::write_low_bytes;
  if (ending_ && outgoing_.empty() && !fin_sent_) {
    fin_sent_ = true;
    connection_->send_fin(end_);
    drained = true;
  }
  if (drained) {
    above_high_ = false;
    if (handler_) handler_->stream_drained();
  }
}

void SimStream::write_failed(const Error& error) {
  if (!failure_) failure_ = error;
  outgoing_.clear();
}

// This object may be gone afterwards.
void SimStream::report_failure() {
  if (failed_ || !handler_) return;
  failed_ = true;
  outgoing_.clear();
  watch_peer();
  handler_->stream_failed(end_.peer == Address{} ? *failure_ : failure_->in(end_.peer.to_string()));
}

Result<Address> SimStream::original_destination() const {
  if (end_.original_destination) return *end_.original_destination;
  return fail(Code::not_found,
              str_cat("connection from ", end_.peer.to_string(), " has no original destination"));
}

bool SimStream::idle_and_open() const {
  return !failed_ && !failure_ && !ending_ && end_.arrived.empty() && !end_.fin_arrived &&
         !end_.reset_arrived;
}

}  // namespace weft::sim
