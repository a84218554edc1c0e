#include "io/paused_streams.h"

#include <poll.h>

#include <utility>

#include "base/limits.h"
#include "io/uv_stream.h"

namespace weft::io {

PausedStreams::PausedStreams(Loop& loop) : timer_(loop.make_timer([this] { look(); })) {}

void PausedStreams::add(UvStream& stream) {
  if (stream.paused_at_ != 0) return;
  if (entries_.empty()) timer_->start(limits::paused_look_interval);
  entries_.push_back({&stream, false});
  stream.paused_at_ = entries_.size();
}

void PausedStreams::remove(UvStream& stream) {
  if (stream.paused_at_ == 0) return;
  Entry& place = entries_[stream.paused_at_ - 1];
  place = entries_.back();
  place.stream->paused_at_ = stream.paused_at_;
  stream.paused_at_ = 0;
  entries_.pop_back();
  if (entries_.empty()) timer_->stop();
}

void PausedStreams::look() {
  timer_->start(limits::paused_look_interval);
  std::vector<pollfd> descriptors;
  std::vector<UvStream*> streams;
  for (Entry& entry : entries_) {
    if (!std::exchange(entry.seen, true)) continue;
    descriptors.push_back({entry.stream->descriptor(), POLLRDHUP, 0});
    streams.push_back(entry.stream);
  }
  if (streams.empty() || poll(descriptors.data(), descriptors.size(), 0) <= 0) return;
  // No handler is called here, so the streams stay as they are.
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (descriptors[i].revents != 0) streams[i]->peer_left(descriptors[i].revents);
  }
}

}  // namespace weft::io
