#include "policy/grammar.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace weft::policy::grammar {
namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::size_t list_max = 256;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::size_t digits_at(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - begin;
}

struct Unit {
  std::string_view name;
  std::uint64_t millis;
};
constexpr Unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};

std::string show(Millis time) {
  const auto ms = static_cast<std::uint64_t>(time.count());
  for (const Unit& unit : {units[3], units[2], units[1]}) {
    if (ms != 0 && ms % unit.millis == 0) return str_cat(ms / unit.millis, unit.name);
  }
  return ms == 0 ? "0s" : str_cat(ms, "ms");
}

// Names of labels and subsets: alphanumeric at both ends, "-", "_" and "." between, at most 63 characters.
bool is_label_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && is_alphanumeric(text.front()) &&
         is_alphanumeric(text.back()) && std::all_of(text.begin(), text.end(), [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}

template <class T, class Parse>
Parsed<std::vector<T>> list(const Piece& value, Parse parse) {
  std::vector<T> out;
  for (const Piece& item : split_at(value, ",\n")) {
    if (out.size() == list_max) return fault(item, str_cat("at most ", list_max, " entries"));
    WEFT_PARSE(T parsed, parse(item));
    out.push_back(std::move(parsed));
  }
  return out;
}

}  // namespace

Piece Piece::trimmed() const {
  const std::size_t first = text.find_first_not_of(white_space);
  if (first == std::string_view::npos) return from(text.size());
  return from(first, text.find_last_not_of(white_space) - first + 1);
}

std::string Fault::to_string() const {
  if (found.empty()) return str_cat("expected ", expected, ", found nothing");
  return str_cat("expected ", expected, ", found '", printable(found, 60), "'");
}

tl::unexpected<Fault> fault(const Piece& at, std::string expected) {
  return fault_inside(at, 0, std::move(expected));
}

tl::unexpected<Fault> fault_inside(const Piece& whole, std::size_t at, std::string expected) {
  return tl::unexpected<Fault>(Fault{whole.column + at, std::move(expected), std::string(whole.text)});
}

std::vector<Piece> split_at(const Piece& value, std::string_view separators) {
  std::vector<Piece> pieces;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t at = value.text.find_first_of(separators, begin);
    if (at == std::string_view::npos) {
      pieces.push_back(value.from(begin).trimmed());
      return pieces;
    }
    pieces.push_back(value.from(begin, at - begin).trimmed());
    begin = at + 1;
  }
}

Halves split_once(const Piece& value, std::string_view separator) {
  const std::size_t at = value.text.find(separator);
  if (at == std::string_view::npos) return Halves{value.trimmed(), value.from(value.text.size()), false};
  return Halves{value.from(0, at).trimmed(), value.from(at + separator.size()).trimmed(), true};
}

Parsed<Millis> duration(const Piece& value, const DurationBounds& bounds) {
  constexpr std::string_view form = "a duration like 500ms, 10s, 5m or 1h";
  constexpr std::size_t digits_max = 9;  // so that no sum of a few parts overflows
  std::uint64_t total = 0;
  std::size_t at = 0;
  if (value.empty()) return fault(value, std::string(form));
  while (at < value.text.size()) {
    const std::size_t digits = digits_at(value.text, at);
    if (digits == 0 || digits > digits_max) return fault_inside(value, at, std::string(form));
    const std::uint64_t count = *parse_number<std::uint64_t>(value.text.substr(at, digits));
    at += digits;
    std::size_t letters = at;
    while (letters < value.text.size() && !is_digit(value.text[letters])) ++letters;
    const std::string_view name = value.text.substr(at, letters - at);
    const auto unit =
        std::find_if(std::begin(units), std::end(units), [name](const Unit& u) { return u.name == name; });
    if (unit == std::end(units)) return fault_inside(value, at, std::string(form));
    total += count * unit->millis;
    if (total > static_cast<std::uint64_t>(bounds.most.count())) {
      return fault(value, str_cat("a duration of at most ", show(bounds.most)));
    }
    at = letters;
  }
  if (total < static_cast<std::uint64_t>(bounds.least.count())) {
    return fault(value, str_cat("a duration of at least ", show(bounds.least)));
  }
  return Millis(total);
}

Parsed<std::uint32_t> number(const Piece& value, std::uint32_t least, std::uint32_t most,
                             std::string_view what) {
  const auto parsed = parse_number<std::uint32_t>(value.text);
  if (parsed && *parsed >= least && *parsed <= most) return *parsed;
  const std::size_t digits = digits_at(value.text, 0);
  return fault_inside(value, digits == value.text.size() ? 0 : digits,
                      str_cat(what, " from ", least, " to ", most));
}

Parsed<std::uint32_t> percent(const Piece& value, std::uint32_t most) {
  const std::string expected = str_cat("a percentage like 20%, at most ", most, "%");
  const std::size_t digits = digits_at(value.text, 0);
  if (digits == 0 || value.text.substr(digits) != "%") return fault_inside(value, digits, expected);
  const auto parsed = parse_number<std::uint32_t>(value.text.substr(0, digits));
  if (!parsed || *parsed > most) return fault(value, expected);
  return *parsed;
}

Parsed<std::uint16_t> port(const Piece& value) {
  const auto parsed = number(value, 1, 65535, "a port");
  if (!parsed) return tl::unexpected<Fault>(parsed.error());
  return static_cast<std::uint16_t>(*parsed);
}

Parsed<std::vector<PortRange>> port_ranges(const Piece& value) {
  return list<PortRange>(value, [](const Piece& item) -> Parsed<PortRange> {
    const Halves ends = split_once(item, "-");
    WEFT_PARSE(const std::uint16_t first, port(ends.left));
    if (!ends.found) return PortRange{first, first};
    WEFT_PARSE(const std::uint16_t last, port(ends.right));
    if (last < first) return fault(ends.right, str_cat("a port not below ", first));
    return PortRange{first, last};
  });
}

Parsed<std::vector<Cidr>> cidrs(const Piece& value) {
  return list<Cidr>(value, [](const Piece& item) -> Parsed<Cidr> {
    auto parsed = Cidr::parse(item.text);
    if (!parsed) return fault(item, "a CIDR block like 198.18.0.0/15 or 2001:2::/48");
    return *std::move(parsed);
  });
}

Parsed<std::vector<std::uint32_t>> user_ids(const Piece& value) {
  return list<std::uint32_t>(value,
                             [](const Piece& item) { return number(item, 0, 4'294'967'294u, "a user id"); });
}

Parsed<std::string> quantity(const Piece& value) {
  constexpr std::string_view suffixes[] = {"", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"};
  constexpr std::string_view form = "a quantity like 100m, 0.5 or 64Mi";
  std::size_t at = digits_at(value.text, 0);
  if (at == 0 || at > 18) return fault(value, std::string(form));
  if (at < value.text.size() && value.text[at] == '.') {
    const std::size_t fraction = digits_at(value.text, at + 1);
    if (fraction == 0) return fault_inside(value, at + 1, std::string(form));
    at += 1 + fraction;
  }
  const std::string_view suffix = value.text.substr(at);
  if (std::find(std::begin(suffixes), std::end(suffixes), suffix) == std::end(suffixes)) {
    return fault_inside(value, at, std::string(form));
  }
  return std::string(value.text);
}

Parsed<std::string> label_key(const Piece& value) {
  constexpr std::string_view form = "the key of a label, like version or example.org/track";
  const Halves parts = split_once(value, "/");
  if (parts.found && !(parts.left.text.size() <= 253 &&
                       std::all_of(parts.left.text.begin(), parts.left.text.end(),
                                   [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; }) &&
                       !parts.left.empty())) {
    return fault(parts.left, std::string(form));
  }
  const Piece& name = parts.found ? parts.right : parts.left;
  if (!is_label_name(name.text)) return fault(name, std::string(form));
  return std::string(value.text);
}

Parsed<std::string> label_value(const Piece& value) {
  if (!is_label_name(value.text)) return fault(value, "a subset, named as the value of a label, like v1");
  return std::string(value.text);
}

Parsed<std::string> token(const Piece& value, std::string_view what) {
  constexpr std::string_view also = "!#$%&'*+-.^_`|~";
  const auto wrong = std::find_if_not(value.text.begin(), value.text.end(), [also](char c) {
    return is_alphanumeric(c) || also.find(c) != std::string_view::npos;
  });
  if (value.empty() || wrong != value.text.end()) {
    return fault_inside(value, static_cast<std::size_t>(wrong - value.text.begin()), std::string(what));
  }
  return std::string(value.text);
}

}  // namespace weft::policy::grammar
