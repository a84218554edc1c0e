#include "http/http2_transport.h"

#include <utility>

#include "base/limits.h"
#include "base/text.h"

namespace weft::http {
namespace {

constexpr std::uint64_t keepalive_ping = 0x77656674'6c697665;
// How long the last bytes (a GOAWAY) may take to leave.
constexpr auto linger = std::chrono::seconds(1);

codec::Http2Options session_options(const Http2TransportOptions& options) {
  codec::Http2Options session;
  session.streams_max = options.streams_max;
  session.limits = options.limits;
  return session;
}

// Whole TLS records of what leaves together.
constexpr std::size_t batch_bytes = 4 * 16 * 1024;

// Counts how deep inside events the object is.
class Busy {
 public:
  explicit Busy(int& depth) : depth_(depth) { ++depth_; }
  ~Busy() { --depth_; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  int& depth_;
};

}  // namespace

Http2Transport::Http2Transport(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                               codec::Http2Handler& handler, const Http2TransportOptions& options,
                               Function<void(const Error*)> closed)
    : loop_(loop),
      stream_(std::move(stream)),
      early_(options.already_read),
      keepalive_interval_(options.keepalive_interval),
      keepalive_timeout_(options.keepalive_timeout),
      closed_(std::move(closed)),
      session_(options.role, handler, session_options(options)),
      last_heard_(loop.now()),
      alive_at_(last_heard_) {
  keepalive_timer_ = loop.make_timer(anchor_.guard([this] { keepalive_fired(); }));
  linger_timer_ = loop.make_timer(anchor_.guard([this] { lingered(); }));
  stream_->start(*this);
  if (!early_.empty()) loop_.defer(anchor_.guard([this] { stream_data({}); }));
  flush();
}

void Http2Transport::flush() {
  if (flush_scheduled_ || over_) return;
  flush_scheduled_ = true;
  loop_.defer(anchor_.guard([this] { write_out(); }));
}

void Http2Transport::write_out() {
  flush_scheduled_ = false;
  if (over_ || finishing_) return;
  const Busy busy(busy_);
  // Frames that leave together share TLS records: a record each would cost more than what is in it.
  std::string batch;
  bool more = true;
  while (more && stream_->writable()) {
    const std::string_view frame = session_.produce();
    more = !frame.empty();
    batch.append(frame);
    if (batch.size() < batch_bytes && more) continue;
    if (!batch.empty()) stream_->write(batch);
    batch.clear();
  }
  if (session_.finished()) finish();
}

void Http2Transport::finish() {
  finishing_ = true;
  keepalive_timer_->stop();
  stream_->end();
  linger_timer_->start(limits::http_idle_timeout);
}

// All has left, and the peer does not close; or it does not read what is left, and must not take it for all.
void Http2Transport::lingered() {
  if (!all_left_) stream_->reset();
  close(nullptr);
}

void Http2Transport::close(const Error* error) {
  if (over_) return;
  over_ = true;
  keepalive_timer_->stop();
  linger_timer_->stop();
  stream_->pause();
  const Busy busy(busy_);
  closed_(session_.fault() ? &*session_.fault() : error);
}

void Http2Transport::abort(Error why) {
  loop_.defer(anchor_.guard([this, why = std::move(why)] {
    if (!over_) stream_->reset();
    close(&why);
  }));
}

void Http2Transport::stream_data(std::string_view bytes) {
  const std::string early = std::exchange(early_, {});
  if (!early.empty()) feed(early);
  if (!bytes.empty()) feed(bytes);
}

void Http2Transport::feed(std::string_view bytes) {
  if (over_ || finishing_) return;
  last_heard_ = loop_.now();
  sign_of_life();
  const Busy busy(busy_);
  session_.feed(bytes, loop_.now());
  session_.finished() ? write_out() : flush();
}

void Http2Transport::stream_end() {
  const Error error{Code::closed, "the peer closed the connection"};
  close(finishing_ ? nullptr : &error);
}

void Http2Transport::stream_drained() {
  // A ping waits behind what was written before it: as long as that leaves, somebody takes it.
  sign_of_life();
  if (!finishing_) return write_out();
  all_left_ = true;
  linger_timer_->start(linger);
}

void Http2Transport::stream_failed(const Error& error) { close(finishing_ ? nullptr : &error); }

void Http2Transport::keep_alive(bool on) {
  if (!on || over_ || finishing_) {
    keepalive_timer_->stop();
    return;
  }
  if (keepalive_timer_->active()) return;
  last_heard_ = loop_.now();
  sign_of_life();
  if (keepalive_interval_ > Duration::zero()) keepalive_timer_->start(keepalive_interval_);
}

void Http2Transport::sign_of_life() {
  alive_at_ = loop_.now();
  pinged_ = false;
}

void Http2Transport::keepalive_fired() {
  const Duration silent = loop_.now() - alive_at_;
  if (pinged_) {
    const Error error{Code::unavailable,
                      str_cat("the peer was silent for ",
                              std::chrono::duration_cast<std::chrono::milliseconds>(silent).count(), " ms")};
    stream_->reset();
    close(&error);
  } else if (silent < keepalive_interval_) {
    keepalive_timer_->start(keepalive_interval_ - silent);
  } else {
    pinged_ = true;
    session_.ping(keepalive_ping);
    write_out();
    if (!over_ && !finishing_) keepalive_timer_->start(keepalive_timeout_);
  }
}

}  // namespace weft::http
