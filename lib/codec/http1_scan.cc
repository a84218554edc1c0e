#include "codec/http1_scan.h"

#include <algorithm>
#include <array>

namespace weft::codec {
namespace {

constexpr std::uint8_t token_bit = 1;
constexpr std::uint8_t value_bit =
    2;  // field values and start lines: HTAB, SP, VCHAR, obs-text (RFC 9110 § 5.5)

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0x20; c < 256; ++c) {
    if (c != 0x7f) classes[c] = value_bit;
  }
  classes['\t'] = value_bit;
  for (unsigned c = 0x21; c < 0x7f; ++c) {
    const bool delimiter =
        std::string_view("\"(),/:;<=>?@[\\]{}").find(static_cast<char>(c)) != std::string_view::npos;
    if (!delimiter) classes[c] |= token_bit;
  }
  return classes;
}

constexpr std::array<std::uint8_t, 256> classes = make_classes();

bool is_value_char(unsigned char c) { return (classes[c] & value_bit) != 0; }

}  // namespace

bool is_token_char(unsigned char c) { return (classes[c] & token_bit) != 0; }

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return is_token_char(static_cast<unsigned char>(c)); });
}

HeadScan::Result HeadScan::scan(std::string_view bytes, std::size_t& taken) {
  std::size_t i = 0;
  while (i < bytes.size()) {
    if (state_ == State::field_value || state_ == State::start_line) {
      while (i < bytes.size() && is_value_char(static_cast<unsigned char>(bytes[i]))) ++i;
      if (i == bytes.size()) break;
    } else if (state_ == State::field_name) {
      while (i < bytes.size() && is_token_char(static_cast<unsigned char>(bytes[i]))) ++i;
      if (i == bytes.size()) break;
    }
    if (!step(static_cast<unsigned char>(bytes[i]))) {
      taken = i;
      bytes_ += i;
      return Result::bad;
    }
    ++i;
    if (complete_) {
      taken = i;
      bytes_ += i;
      return Result::complete;
    }
  }
  taken = i;
  bytes_ += i;
  return Result::need_more;
}

bool HeadScan::step(unsigned char c) {
  switch (state_) {
    case State::empty_first:
      if (c == '\r' && !skipped_empty_) {
        skipped_empty_ = true;
        state_ = State::empty_first_lf;
        return true;
      }
      problem_ = "the start line does not begin with a token";
      state_ = State::start_line;
      return is_token_char(c);
    case State::empty_first_lf:
      problem_ = "bare CR";
      state_ = State::empty_first;
      return c == '\n';
    case State::start_line:
      return step_line(c, State::start_line_cr);
    case State::field_value:
      return step_line(c, State::field_cr);
    case State::start_line_cr:
    case State::field_cr:
      problem_ = "bare CR";
      state_ = State::field_begin;
      return c == '\n';
    case State::field_begin:
      if (c == '\r') {
        state_ = State::last_lf;
        return true;
      }
      ++fields_;
      problem_ = c == ' ' || c == '\t' ? "folded field line" : "field name with an invalid character";
      state_ = State::field_name;
      return is_token_char(c);
    case State::field_name:
      if (c == ':') {
        state_ = State::field_value;
        return true;
      }
      problem_ = c == ' ' || c == '\t' ? "space in front of a colon" : "field name with an invalid character";
      return is_token_char(c);
    case State::last_lf:
      problem_ = "bare CR";
      complete_ = c == '\n';
      return complete_;
  }
  return false;
}

bool HeadScan::step_line(unsigned char c, State at_cr) {
  if (c == '\r') {
    state_ = at_cr;
    return true;
  }
  problem_ = c == '\n' ? "bare LF" : c == '\0' ? "NUL" : "control character";
  return is_value_char(c);
}

}  // namespace weft::codec
