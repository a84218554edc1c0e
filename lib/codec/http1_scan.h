// Finds the end of a head or of trailers while checking what every line must keep to (RFC 9112 §§ 2.2, 5.1,
// 5.2): lines end in CRLF, there is no bare CR or LF, no NUL or other control byte, no folded line, no
// space in front of a colon. Incremental; a piece of the codec, used by Http1Parser alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft::codec {

class HeadScan {
 public:
  enum class Result : std::uint8_t { need_more, complete, bad };
  enum class Begin : std::uint8_t { start_line, fields };

  explicit HeadScan(Begin begin = Begin::start_line) : begin_(begin), state_(first_state()) {}

  // Looks at `bytes`, which follow those of the last call, and sets `taken` to how many belong to the head
  // (all of them, unless complete).
  Result scan(std::string_view bytes, std::size_t& taken);
  std::size_t bytes() const { return bytes_; }    // so far, in all
  std::size_t fields() const { return fields_; }  // field lines begun so far
  bool in_start_line() const { return state_ == State::start_line || state_ == State::start_line_cr; }
  const char* problem() const { return problem_; }  // where bad

 private:
  enum class State : std::uint8_t {
    empty_first,  // in front of a start line: one empty line may come (RFC 9112 § 2.2)
    empty_first_lf,
    start_line,
    start_line_cr,
    field_begin,
    field_name,
    field_value,
    field_cr,
    last_lf,
  };
  State first_state() const { return begin_ == Begin::start_line ? State::empty_first : State::field_begin; }
  bool step(unsigned char c);
  bool step_line(unsigned char c, State at_cr);

  Begin begin_;
  State state_;
  bool complete_ = false;
  bool skipped_empty_ = false;
  std::size_t bytes_ = 0;
  std::size_t fields_ = 0;
  const char* problem_ = "";
};

bool is_token_char(unsigned char c);  // RFC 9110 § 5.6.2
bool is_token(std::string_view text);

}  // namespace weft::codec
