// Where a request's body ends: content-length or chunked (RFC 9112 § 7.1), in any cuts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::bench {

class BodyReader {
 public:
  void expect(std::uint64_t content_length);
  void expect_chunked();

  // Takes what belongs to the body off the front of `bytes`.
  void consume(std::string_view& bytes);
  bool done() const { return state_ == State::done; }
  bool broken() const { return state_ == State::broken; }

 private:
  enum class State : std::uint8_t {
    done,
    length,
    size,
    extension,
    chunk,
    chunk_end,
    trailer_start,
    trailer,
    broken
  };

  void consume_one(char c);

  State state_ = State::done;
  std::uint64_t left_ = 0;  // of the body, or of the chunk
};

}  // namespace weft::bench
