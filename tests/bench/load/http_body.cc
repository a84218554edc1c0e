#include "tests/bench/load/http_body.h"

#include <algorithm>

namespace weft::bench {
namespace {

constexpr std::uint64_t chunk_bytes_max = std::uint64_t{1} << 40;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

void BodyReader::expect(std::uint64_t content_length) {
  left_ = content_length;
  state_ = left_ > 0 ? State::length : State::done;
}

void BodyReader::expect_chunked() {
  left_ = 0;
  state_ = State::size;
}

void BodyReader::consume(std::string_view& bytes) {
  while (!bytes.empty() && !done() && !broken()) {
    if (state_ != State::length && state_ != State::chunk) {
      consume_one(bytes.front());
      bytes.remove_prefix(1);
      continue;
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    bytes.remove_prefix(count);
    left_ -= count;
    if (left_ == 0) state_ = state_ == State::length ? State::done : State::chunk_end;
  }
}

// The framing between chunks. A line ends at its LF.
void BodyReader::consume_one(char c) {
  const bool line_ended = c == '\n';
  switch (state_) {
    case State::size:
      if (const int digit = hex_digit(c); digit >= 0) {
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        if (left_ > chunk_bytes_max) state_ = State::broken;
        break;
      }
      state_ = c == ';' || c == '\r' || c == ' ' || line_ended ? State::extension : State::broken;
      [[fallthrough]];
    case State::extension:
      if (line_ended && state_ == State::extension) state_ = left_ > 0 ? State::chunk : State::trailer_start;
      break;
    case State::chunk_end:
      if (line_ended) state_ = State::size;
      break;
    case State::trailer_start:
      if (line_ended) {
        state_ = State::done;
      } else if (c != '\r') {
        state_ = State::trailer;
      }
      break;
    case State::trailer:
      if (line_ended) state_ = State::trailer_start;
      break;
    default:
      break;
  }
}

}  // namespace weft::bench
