// Signals of the process as callbacks on a loop. The default action no longer happens while one is watched.
#pragma once

#include <memory>

#include "base/callback.h"
#include "base/result.h"

namespace weft::io {

class UvLoop;

class SignalWatch {
 public:
  virtual ~SignalWatch() = default;
};

// `number` is SIGTERM, SIGINT, SIGHUP, …; not SIGKILL or SIGSTOP. Several may watch the same.
Result<std::unique_ptr<SignalWatch>> watch_signal(UvLoop& loop, int number, Function<void()> received);

}  // namespace weft::io
