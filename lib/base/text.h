// Small helpers for text and bytes: joining, numbers, splitting, ASCII case, hex, base64.
// Bytes travel as std::string_view / std::string throughout.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weft {

namespace text_detail {
inline void append(std::string& out, std::string_view piece) { out.append(piece); }
inline void append(std::string& out, char piece) { out.push_back(piece); }
template <std::integral T>
  requires(!std::same_as<T, char> && !std::same_as<T, bool>)
void append(std::string& out, T piece) {
  out.append(std::to_string(piece));
}
}  // namespace text_detail

// Joins strings, characters and whole numbers.
template <class... Pieces>
std::string str_cat(const Pieces&... pieces) {
  std::string out;
  (text_detail::append(out, pieces), ...);
  return out;
}

// The whole text as a decimal number without sign or white space, or nothing.
template <std::unsigned_integral T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trim(std::string_view text);  // spaces and tabs at both ends
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& pieces, std::string_view separator);

char ascii_lower(char c);
std::string ascii_lower(std::string_view text);
bool equals_ignore_case(std::string_view a, std::string_view b);

std::string hex_encode(std::string_view bytes);
std::string base64_encode(std::string_view bytes);
// With padding required; white space is not skipped.
Result<std::string> base64_decode(std::string_view text);
// RFC 4648 § 5, padding optional, as JWTs use it.
Result<std::string> base64url_decode(std::string_view text);
std::string base64url_encode(std::string_view bytes);  // without padding

// As RFC 3629 has it: no overlong sequences, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

// `text` made safe to stand in a log line or an error: control bytes and non-ASCII become \xNN, and
// what is longer than `limit` is cut with an ellipsis.
std::string printable(std::string_view text, std::size_t limit = 128);

}  // namespace weft
