#include "base/buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace weft {
namespace {

constexpr std::size_t hard_limit_bytes = 256u << 20;
// An empty buffer keeps at most this much memory.
constexpr std::size_t kept_when_empty_bytes = 4096;

}  // namespace

void Buffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  make_room(bytes.size());
  std::memcpy(storage_.get() + end_, bytes.data(), bytes.size());
  end_ += bytes.size();
}

void Buffer::make_room(std::size_t bytes) {
  const std::size_t needed = size() + bytes;
  WEFT_CHECK(needed <= hard_limit_bytes);
  if (capacity_ - end_ >= bytes) return;
  if (capacity_ < needed) {
    const std::size_t larger = std::max(needed, 2 * capacity_);
    auto storage = std::make_unique_for_overwrite<char[]>(larger);
    if (!empty()) std::memcpy(storage.get(), storage_.get() + begin_, size());
    storage_ = std::move(storage);
    capacity_ = larger;
  } else {
    std::memmove(storage_.get(), storage_.get() + begin_, size());
  }
  end_ -= begin_;
  begin_ = 0;
}

void Buffer::consume(std::size_t bytes) {
  WEFT_CHECK(bytes <= size());
  begin_ += bytes;
  if (begin_ == end_) clear();
}

void Buffer::clear() {
  begin_ = end_ = 0;
  if (capacity_ <= kept_when_empty_bytes) return;
  storage_.reset();
  capacity_ = 0;
}

}  // namespace weft
