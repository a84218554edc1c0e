// Reads the first bytes of a connection until they say which protocol it speaks, or until it has been silent
// for a while. Owned by the connection that asks; lives on the worker's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/callback.h"
#include "base/clock.h"
#include "codec/detect.h"
#include "io/loop.h"

namespace weft::sidecar {

class Preread final : io::StreamHandler {
 public:
  enum class Outcome {
    detected,  // `detection` is not need_more
    silent,    // nothing (decisive) came within the time; reading goes on if asked again by a new Preread
    ended,     // the peer sent FIN before anything decisive; `bytes` may hold something
    failed,    // `error`
  };
  struct Result {
    Outcome outcome = Outcome::failed;
    std::unique_ptr<io::Stream> stream;
    std::string bytes;  // all that was read
    codec::Detection detection;
    Error error;
  };

  // `already_read`: what an earlier Preread read. `done` runs once, never inline; the stream is detached
  // then. The patience is another one where `once_begun` says so and there are bytes, though they decide
  // nothing.
  Preread(io::Loop& loop, std::unique_ptr<io::Stream> stream, std::string already_read, Duration patience,
          Function<void(Result)> done, std::optional<Duration> once_begun = std::nullopt);
  ~Preread();
  // Gives the stream back as it is; `done` will not run.
  Result take();

 private:
  void stream_data(std::string_view bytes) override;
  void stream_end() override;
  void stream_drained() override {}
  void stream_failed(const Error& error) override;
  void limit_patience();
  void finish(Outcome outcome);

  io::Loop& loop_;
  Result result_;
  std::optional<Duration> once_begun_;  // until it is used
  bool finished_ = false;
  Function<void(Result)> done_;
  std::unique_ptr<io::Timer> timer_;
  Anchor anchor_;
};

}  // namespace weft::sidecar
