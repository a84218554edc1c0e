#include "codec/http1_chunked.h"

#include <algorithm>
#include <limits>

#include "base/limits.h"

namespace weft::codec {
namespace {

// Extensions nobody uses cost the reader more than the sender; all of a message's together stay below this.
constexpr std::size_t extension_bytes_max = 4 * limits::chunk_line_bytes_max;
constexpr std::uint8_t digits_max = 16;

int hex_value(unsigned char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

ChunkDecoder::Result ChunkDecoder::next(std::string_view& input, std::string_view& data) {
  while (!input.empty()) {
    if (state_ == State::data) {
      const std::size_t bytes = static_cast<std::size_t>(std::min<std::uint64_t>(size_, input.size()));
      data = input.substr(0, bytes);
      input.remove_prefix(bytes);
      size_ -= bytes;
      if (size_ == 0) state_ = State::data_cr;
      return Result::data;
    }
    const State before = state_;
    if (!step(static_cast<unsigned char>(input.front()))) return Result::bad;
    input.remove_prefix(1);
    if (before == State::line_lf && size_ == 0) return Result::last_chunk;
  }
  return Result::need_more;
}

bool ChunkDecoder::step(unsigned char c) {
  const bool in_line = state_ != State::data_cr && state_ != State::data_lf;
  if (in_line && ++line_bytes_ > limits::chunk_line_bytes_max) return fail("chunk line is too long");
  switch (state_) {
    case State::size_first:
    case State::size: {
      const int digit = hex_value(c);
      if (digit >= 0) {
        if (++digits_ > digits_max) return fail("chunk size is too long");
        size_ = (size_ << 4) | static_cast<std::uint64_t>(digit);
        state_ = State::size;
        return true;
      }
      if (state_ == State::size_first) return fail("chunk size is not a hexadecimal number");
      if (size_ > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return fail("chunk size is too large");
      }
      if (c == '\r')
        state_ = State::line_lf;
      else if (c == ';')
        state_ = State::extension;
      else if (c == ' ' || c == '\t')
        state_ = State::extension_space;
      else
        return fail("chunk size is not a hexadecimal number");
      return true;
    }
    case State::extension_space:  // RFC 9112 § 7.1.1: white space is bad, but only in front of an extension
      if (c == ' ' || c == '\t') return true;
      if (c != ';') return fail("white space behind a chunk size");
      state_ = State::extension;
      return true;
    case State::extension:
      if (c == '\r') {
        state_ = State::line_lf;
        return true;
      }
      if (c != '\t' && (c < 0x20 || c == 0x7f)) return fail("chunk extension with a control character");
      if (++extension_bytes_ > extension_bytes_max) return fail("chunk extensions are too long");
      return true;
    case State::line_lf:
      if (c != '\n') return fail("chunk line with a bare CR");
      line_bytes_ = 0;
      digits_ = 0;
      state_ = State::data;
      return true;
    case State::data_cr:
      if (c != '\r') return fail("chunk is longer than its size");
      state_ = State::data_lf;
      return true;
    case State::data_lf:
      if (c != '\n') return fail("chunk with a bare CR behind it");
      state_ = State::size_first;
      return true;
    case State::data:
      break;
  }
  return fail("internal state");
}

bool ChunkDecoder::fail(const char* problem) {
  problem_ = problem;
  return false;
}

}  // namespace weft::codec
