// Private to lib/io. libuv takes the descriptor of a stream that nobody reads out of epoll, and nothing is
// heard of its peer any more. So, about once a second, this looks with one poll(2) at all streams that have
// been paused since the last look: a pause, of which bulk transfers have many, costs no system call. The
// timer runs only while there is a paused stream. One per loop, on its thread.
#pragma once

#include <memory>
#include <vector>

#include "io/loop.h"

namespace weft::io {

class UvStream;

class PausedStreams {
 public:
  explicit PausedStreams(Loop& loop);

  // The stream takes itself off at the latest when it is destroyed. Both are idempotent.
  void add(UvStream& stream);
  void remove(UvStream& stream);

 private:
  struct Entry {
    UvStream* stream;
    bool seen;  // by an earlier look
  };

  void look();

  std::vector<Entry> entries_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace weft::io
