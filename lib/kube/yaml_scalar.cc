#include "kube/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace weft::kube {
namespace {

// The three spellings of a word that count: "yes", "Yes", "YES".
bool is_word(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size() || ascii_lower(text) != lower) return false;
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto uppers = std::count_if(text.begin(), text.end(), is_upper);
  return uppers == 0 || uppers == static_cast<std::ptrdiff_t>(text.size()) ||
         (uppers == 1 && is_upper(text[0]));
}

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return is_word(text, word); });
}

std::optional<Json> whole_number(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c != '_'; });
  std::string_view rest = digits;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  int base = 10;
  const auto prefix = ascii_lower(rest.substr(0, 2));
  if (prefix == "0x") base = 16;
  if (prefix == "0o") base = 8;
  if (prefix == "0b") base = 2;
  if (base != 10) {
    rest.remove_prefix(2);
  } else if (rest.size() > 1 && rest.front() == '0') {
    base = 8;
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
  if (rest.empty() || error != std::errc{} || end != rest.data() + rest.size()) return std::nullopt;
  if (!negative) return Json(value);
  if (value > (1ULL << 63)) return std::nullopt;
  return Json(static_cast<std::int64_t>(0 - value));
}

// ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$
bool looks_like_a_float(std::string_view text) {
  const auto digits = [&] {
    std::size_t count = 0;
    while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
    text.remove_prefix(count);
    return count;
  };
  const auto sign = [&] {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  };
  sign();
  const bool whole = digits() > 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0 && !whole) return false;
  } else if (!whole) {
    return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    sign();
    if (digits() == 0) return false;
  }
  return text.empty();
}

}  // namespace

Result<Json> plain_scalar(std::string_view text) {
  static constexpr std::array<std::string_view, 4> truths = {"y", "yes", "true", "on"};
  static constexpr std::array<std::string_view, 4> lies = {"n", "no", "false", "off"};
  if (text.empty() || text == "~" || is_word(text, "null")) return Json(nullptr);
  if (is_one_of(text, truths)) return Json(true);
  if (is_one_of(text, lies)) return Json(false);
  std::string_view unsigned_text = text;
  if (text.starts_with('-') || text.starts_with('+')) unsigned_text.remove_prefix(1);
  if (is_word(text, ".nan") || is_word(unsigned_text, ".inf") || text == ".NaN" || unsigned_text == ".Inf")
    return fail(Code::invalid,
                str_cat("the number ", text, " cannot be said in JSON; put it in quotes if text is meant"));
  if (const auto number = whole_number(text)) return *number;
  if (looks_like_a_float(text)) {
    // from_chars knows no leading plus.
    const std::string_view from = text.starts_with('+') ? text.substr(1) : text;
    double value = 0;
    const auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), value);
    if (error == std::errc{} && end == from.data() + from.size() && std::isfinite(value)) {
      // As kubectl's JSON: 1.0 is 1.
      if (value == std::floor(value) && std::abs(value) < 1e15) {
        const auto whole = static_cast<std::int64_t>(value);
        return whole < 0 ? Json(whole) : Json(static_cast<std::uint64_t>(whole));
      }
      return Json(value);
    }
  }
  return Json(std::string(text));
}

}  // namespace weft::kube
