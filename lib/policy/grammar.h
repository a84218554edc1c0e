// The small parsers that annotation values are made of. Each takes a piece of a value with its column and
// gives a value or a Fault: where it went wrong, what was expected there, and what stood there instead. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "base/address.h"
#include "policy/annotations.h"

namespace weft::policy::grammar {

// A part of an annotation's value; `column` is that of its first byte, counted from 1 in the whole value.
struct Piece {
  std::string_view text;
  std::size_t column = 1;

  Piece from(std::size_t begin, std::size_t length = std::string_view::npos) const {
    return Piece{text.substr(begin, length), column + begin};
  }
  Piece trimmed() const;  // without white space at both ends
  bool empty() const { return text.empty(); }
};

struct Fault {
  std::size_t column = 1;
  std::string expected;
  std::string found;
  std::string to_string() const;  // "expected …, found '…'"
};

template <class T>
using Parsed = tl::expected<T, Fault>;

tl::unexpected<Fault> fault(const Piece& at, std::string expected);
// The fault is in the middle of `whole`, `at` bytes from its beginning; the message shows all of it.
tl::unexpected<Fault> fault_inside(const Piece& whole, std::size_t at, std::string expected);

// Trimmed pieces between any of `separators`; at least one, perhaps empty.
std::vector<Piece> split_at(const Piece& value, std::string_view separators);
// The pieces on both sides of the first `separator`, trimmed; `found` false: all of it is on the left.
struct Halves {
  Piece left;
  Piece right;
  bool found = false;
};
Halves split_once(const Piece& value, std::string_view separator);

struct DurationBounds {
  Millis least{1};
  Millis most{std::chrono::hours(24)};
};
// "500ms", "10s", "1m30s": whole numbers with ms, s, m or h, joined.
Parsed<Millis> duration(const Piece& value, const DurationBounds& bounds = {});
Parsed<std::uint32_t> number(const Piece& value, std::uint32_t least, std::uint32_t most,
                             std::string_view what);
Parsed<std::uint32_t> percent(const Piece& value, std::uint32_t most = 100);  // "20%"
Parsed<std::uint16_t> port(const Piece& value);
Parsed<std::vector<PortRange>> port_ranges(const Piece& value);        // "22,6000-7000"
Parsed<std::vector<Cidr>> cidrs(const Piece& value);                   // "198.18.0.0/15,2001:2::/48"
Parsed<std::vector<std::uint32_t>> user_ids(const Piece& value);       // "1000,1001"
Parsed<std::string> quantity(const Piece& value);                      // "100m", "64Mi"
Parsed<std::string> label_key(const Piece& value);                     // "version", "example.org/track"
Parsed<std::string> label_value(const Piece& value);                   // not empty
Parsed<std::string> token(const Piece& value, std::string_view what);  // RFC 9110 § 5.6.2

// One of several words.
template <class T>
struct Choice {
  std::string_view word;
  T value;
};
template <class T, std::size_t n>
Parsed<T> choice(const Piece& value, const Choice<T> (&choices)[n]) {
  std::string expected;
  for (std::size_t i = 0; i < n; ++i) {
    if (value.text == choices[i].word) return choices[i].value;
    if (i > 0) expected.append(i + 1 == n ? " or " : ", ");
    expected.append(choices[i].word);
  }
  return fault(value, std::move(expected));
}

}  // namespace weft::policy::grammar

// Leaves the enclosing function with the fault of `expression`, or declares its value.
#define WEFT_PARSE(declaration, expression)                         \
  auto WEFT_TRY_CONCAT(weft_parse_, __LINE__) = (expression);       \
  if (!WEFT_TRY_CONCAT(weft_parse_, __LINE__))                      \
    return tl::unexpected<::weft::policy::grammar::Fault>(          \
        std::move(WEFT_TRY_CONCAT(weft_parse_, __LINE__)).error()); \
  declaration = *std::move(WEFT_TRY_CONCAT(weft_parse_, __LINE__))
