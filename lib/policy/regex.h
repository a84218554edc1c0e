// Regular expressions that users write in annotations, matched in time linear in the text whatever the
// pattern (a backtracking engine would let one header value occupy a worker). Matches whole values. No
// allocation per match. Immutable after construction: any thread.
//
// Syntax: literals, ".", [a-z0-9_] and [^…], \d \w \s \D \W \S, \xHH, escaped punctuation, ( ), (?: ), |, *,
// +, ?, {n}, {n,}, {n,m}. "^" at the beginning and "$" at the end are allowed and change nothing. Bytes, not
// code points.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace weft::policy {

struct RegexError {
  std::size_t at = 0;  // byte of the pattern
  std::string expected;
};

class Regex {
 public:
  static tl::expected<Regex, RegexError> compile(std::string_view pattern);
  bool matches(std::string_view text) const;

 private:
  friend class RegexCompiler;
  Regex() = default;

  enum class Op : std::uint8_t { set, split, jump, accept };
  struct Step {
    Op op = Op::accept;
    std::uint16_t first = 0;   // set: index into sets_, then on to the next step; split, jump: target
    std::uint16_t second = 0;  // split: the other target
  };
  static constexpr std::size_t steps_max = 512;
  using States = std::bitset<steps_max>;
  void enter(States& states, std::uint16_t step) const;

  std::vector<Step> steps_;
  std::vector<std::bitset<256>> sets_;
};

}  // namespace weft::policy
