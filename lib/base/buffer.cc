#include "base/buffer.h"

#include <cstring>

#include "base/check.h"

namespace weft {
namespace {

constexpr std::size_t hard_limit_bytes = 256u << 20;
// An empty buffer keeps at most this much memory.
constexpr std::size_t kept_when_empty_bytes = 4096;

}  // namespace

void Buffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
  commit(bytes.size());
}

char* Buffer::reserve(std::size_t bytes) {
  WEFT_CHECK(size() + bytes <= hard_limit_bytes);
  if (storage_.size() - end_ < bytes && begin_ > 0) {
    std::memmove(storage_.data(), storage_.data() + begin_, size());
    end_ -= begin_;
    begin_ = 0;
  }
  if (storage_.size() - end_ < bytes) {
    const std::size_t needed = end_ + bytes;
    storage_.resize(needed < storage_.size() * 2 ? storage_.size() * 2 : needed);
  }
  return storage_.data() + end_;
}

void Buffer::commit(std::size_t bytes) {
  WEFT_CHECK(bytes <= storage_.size() - end_);
  end_ += bytes;
}

void Buffer::consume(std::size_t bytes) {
  WEFT_CHECK(bytes <= size());
  begin_ += bytes;
  if (begin_ == end_) clear();
}

void Buffer::clear() {
  begin_ = end_ = 0;
  if (storage_.size() > kept_when_empty_bytes) std::string().swap(storage_);
}

}  // namespace weft
