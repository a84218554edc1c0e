// The chunked transfer coding (RFC 9112 § 7.1) up to the last chunk; the trailers behind it are the parser's.
// Strict: a size is 1 to 16 hexadecimal digits, lines end in CRLF, extensions are skipped but bounded,
// one by one and in all. Incremental; a piece of the codec, used by Http1Parser alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::codec {

class ChunkDecoder {
 public:
  enum class Result : std::uint8_t { need_more, data, last_chunk, bad };

  // Takes bytes off the front of `input`; `data` points into it.
  Result next(std::string_view& input, std::string_view& data);
  const char* problem() const { return problem_; }  // where bad

 private:
  enum class State : std::uint8_t {
    size_first,
    size,
    extension_space,
    extension,
    line_lf,
    data,
    data_cr,
    data_lf
  };
  bool step(unsigned char c);
  bool fail(const char* problem);

  State state_ = State::size_first;
  std::uint8_t digits_ = 0;
  std::uint64_t size_ = 0;  // of this chunk; then what is left of it
  std::size_t line_bytes_ = 0;
  std::size_t extension_bytes_ = 0;  // of the whole message
  const char* problem_ = "";
};

}  // namespace weft::codec
