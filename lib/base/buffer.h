// A queue of bytes with one contiguous readable part: append at the back, consume at the front.
// Single thread. The owner enforces a limit (limits.h); the buffer itself aborts past `hard_limit_bytes`.
// An empty buffer gives large memory back, so an idle connection holds next to nothing. Moved from, it may
// only be assigned to or swapped.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace weft {

class Buffer {
 public:
  void append(std::string_view bytes);
  std::string_view view() const { return {storage_.get() + begin_, end_ - begin_}; }
  // REQUIRES: bytes <= size().
  void consume(std::size_t bytes);
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  void clear();

 private:
  void make_room(std::size_t bytes);  // at the back

  // Never filled ahead: what no byte came to is no memory in use.
  std::unique_ptr<char[]> storage_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace weft
