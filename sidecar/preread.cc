#include "sidecar/preread.h"

namespace weft::sidecar {

Preread::Preread(io::Loop& loop, std::unique_ptr<io::Stream> stream, std::string already_read,
                 Duration patience, Function<void(Result)> done, std::optional<Duration> once_begun)
    : loop_(loop), once_begun_(once_begun), done_(std::move(done)) {
  result_.stream = std::move(stream);
  result_.bytes = std::move(already_read);
  timer_ = loop_.make_timer(anchor_.guard([this] { finish(Outcome::silent); }));
  timer_->start(patience);
  limit_patience();
  result_.stream->start(*this);
  result_.stream->resume();
}

Preread::~Preread() = default;

Preread::Result Preread::take() {
  finished_ = true;
  timer_->stop();
  anchor_.drop();
  if (result_.stream) result_.stream->detach();
  return std::move(result_);
}

void Preread::stream_data(std::string_view bytes) {
  if (finished_) {
    result_.bytes.append(bytes);
    return;
  }
  result_.bytes.append(bytes);
  result_.detection = codec::detect(result_.bytes);
  if (result_.detection.kind != codec::Detection::Kind::need_more) return finish(Outcome::detected);
  limit_patience();
}

void Preread::limit_patience() {
  if (!once_begun_ || result_.bytes.empty()) return;
  timer_->start(*once_begun_);
  once_begun_.reset();
}

void Preread::stream_end() { finish(Outcome::ended); }

void Preread::stream_failed(const Error& error) {
  result_.error = error;
  finish(Outcome::failed);
}

void Preread::finish(Outcome outcome) {
  if (finished_) return;
  finished_ = true;
  timer_->stop();
  result_.outcome = outcome;
  if (outcome != Outcome::failed) result_.stream->detach();
  loop_.defer(anchor_.guard([this] { done_(std::move(result_)); }));
}

}  // namespace weft::sidecar
