#include "policy/regex.h"

#include <array>
#include <charconv>
#include <optional>

#include "base/text.h"

namespace weft::policy {
namespace {

constexpr std::size_t pattern_bytes_max = 256;
constexpr unsigned depth_max = 16;
constexpr unsigned repeat_max = 100;
constexpr std::size_t atoms_max = 4096;

using Set = std::bitset<256>;

Set range(unsigned char first, unsigned char last) {
  Set set;
  for (unsigned c = first; c <= last; ++c) set.set(c);
  return set;
}

// \d, \w, \s and their opposites.
std::optional<Set> class_of(char letter) {
  const Set digits = range('0', '9');
  switch (letter) {
    case 'd':
      return digits;
    case 'D':
      return ~digits;
    case 'w':
      return digits | range('a', 'z') | range('A', 'Z') | range('_', '_');
    case 'W':
      return ~*class_of('w');
    case 's':
      return range('\t', '\r') | range(' ', ' ');
    case 'S':
      return ~*class_of('s');
    default:
      return std::nullopt;
  }
}

}  // namespace

// Recursive descent straight to steps of an NFA (Thompson's construction). A repeated part is compiled once
// more from its text, so that counts need no syntax tree; steps_max bounds what that can cost.
class RegexCompiler {
 public:
  explicit RegexCompiler(std::string_view pattern) : text_(pattern) {}

  tl::expected<Regex, RegexError> compile() {
    if (text_.size() > pattern_bytes_max) {
      return tl::unexpected(
          RegexError{pattern_bytes_max, str_cat("a pattern of at most ", pattern_bytes_max, " bytes")});
    }
    end_ = text_.size();
    if (text_.starts_with('^')) ++at_;
    if (ends_with_anchor()) --end_;
    alternatives(0);
    if (!error_ && at_ < end_) wrong(at_, "no ')' without '('");
    emit({Regex::Op::accept, 0, 0});
    if (error_) return tl::unexpected(*std::move(error_));
    return std::move(regex_);
  }

 private:
  using Op = Regex::Op;
  using Step = Regex::Step;

  void wrong(std::size_t at, std::string expected) {
    if (!error_) error_ = RegexError{at, std::move(expected)};
  }
  bool more() const { return !error_ && at_ < end_; }
  // A "$" at the end, with an even number of backslashes before it.
  bool ends_with_anchor() const {
    if (!text_.ends_with('$')) return false;
    const std::size_t before = text_.substr(0, text_.size() - 1).find_last_not_of('\\');
    return (text_.size() - 2 - before) % 2 == 0;  // npos is -1
  }
  std::uint16_t next_step() const { return static_cast<std::uint16_t>(regex_.steps_.size()); }
  std::uint16_t emit(Step step) {
    if (regex_.steps_.size() == Regex::steps_max) {
      wrong(at_, "a simpler pattern");
      return 0;
    }
    regex_.steps_.push_back(step);
    return static_cast<std::uint16_t>(regex_.steps_.size() - 1);
  }
  void emit_set(const Set& set) {
    std::size_t index = 0;
    while (index < regex_.sets_.size() && regex_.sets_[index] != set) ++index;
    if (index == regex_.sets_.size()) regex_.sets_.push_back(set);
    emit({Op::set, static_cast<std::uint16_t>(index), 0});
  }
  // Makes room for a split at `begin`, before steps that are there already, and moves their targets along.
  void insert_split(std::uint16_t begin) {
    emit({Op::jump, 0, 0});
    if (error_) return;
    auto& steps = regex_.steps_;
    for (std::size_t i = steps.size() - 1; i > begin; --i) steps[i] = steps[i - 1];
    for (std::size_t i = begin + 1u; i < steps.size(); ++i) {
      if (steps[i].op == Op::set) continue;
      if (steps[i].first >= begin) ++steps[i].first;
      if (steps[i].op == Op::split && steps[i].second >= begin) ++steps[i].second;
    }
    steps[begin] = Step{Op::split, static_cast<std::uint16_t>(begin + 1), 0};
  }

  void alternatives(unsigned depth) {
    if (depth > depth_max) return wrong(at_, "fewer nested groups");
    const std::uint16_t begin = next_step();
    sequence(depth);
    if (!more() || text_[at_] != '|') return;
    insert_split(begin);
    if (error_) return;
    const std::uint16_t out = emit({Op::jump, 0, 0});
    ++at_;
    regex_.steps_[begin].second = next_step();
    alternatives(depth);
    if (!error_) regex_.steps_[out].first = next_step();
  }

  void sequence(unsigned depth) {
    while (more() && text_[at_] != '|' && text_[at_] != ')') {
      const std::size_t atom_at = at_;
      const std::uint16_t begin = next_step();
      atom(depth);
      if (more()) repetition(depth, atom_at, begin);
    }
  }

  void atom(unsigned depth) {
    // Counted groups within counted groups would take for ever, even where they are empty.
    if (++atoms_ > atoms_max) return wrong(at_, "a simpler pattern");
    const char c = text_[at_];
    if (c == '(') return group(depth);
    if (c == '[') return bracket();
    if (c == '\\') return emit_set(escape());
    if (c == '*' || c == '+' || c == '?' || c == '{') return wrong(at_, "something to repeat before it");
    if (c == '^' || c == '$') return wrong(at_, "^ only at the beginning and $ only at the end");
    ++at_;
    emit_set(c == '.' ? Set().set() : range(static_cast<unsigned char>(c), static_cast<unsigned char>(c)));
  }

  void group(unsigned depth) {
    const std::size_t open = at_++;
    if (text_.substr(at_, 2) == "?:") at_ += 2;
    alternatives(depth + 1);
    if (error_) return;
    if (at_ >= end_ || text_[at_] != ')') return wrong(open, "a ')' for this '('");
    ++at_;
  }

  // At a backslash.
  Set escape() {
    const std::size_t begin = at_;
    if (begin + 1 >= end_) {
      wrong(begin, "a character after the backslash");
      return {};
    }
    const char c = text_[begin + 1];
    at_ += 2;
    if (const auto named = class_of(c)) return *named;
    if (c == 'x') {
      unsigned value = 0;
      const std::string_view digits = text_.substr(begin + 2, 2);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      if (error != std::errc{} || end != digits.data() + 2) wrong(begin, "two hexadecimal digits after \\x");
      at_ += 2;
      return range(static_cast<unsigned char>(value), static_cast<unsigned char>(value));
    }
    const bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) wrong(begin, "\\d, \\w, \\s, \\D, \\W, \\S, \\xHH or escaped punctuation");
    return range(static_cast<unsigned char>(c), static_cast<unsigned char>(c));
  }

  void bracket() {
    const std::size_t open = at_++;
    const bool inverted = at_ < end_ && text_[at_] == '^';
    if (inverted) ++at_;
    Set set;
    for (bool first = true; !error_; first = false) {
      if (at_ >= end_) return wrong(open, "a ']' for this '['");
      if (text_[at_] == ']' && !first) break;
      set |= bracket_item();
    }
    ++at_;
    emit_set(inverted ? ~set : set);
  }

  Set bracket_item() {
    const std::size_t begin = at_;
    const Set low = text_[at_] == '\\' ? escape() : plain_byte();
    const bool is_range = at_ + 1 < end_ && text_[at_] == '-' && text_[at_ + 1] != ']';
    if (error_ || !is_range) return low;
    ++at_;
    const Set high = text_[at_] == '\\' ? escape() : plain_byte();
    if (low.count() != 1 || high.count() != 1 || low._Find_first() > high._Find_first()) {
      wrong(begin, "a range from a lower to a higher character");
      return {};
    }
    return range(static_cast<unsigned char>(low._Find_first()),
                 static_cast<unsigned char>(high._Find_first()));
  }

  Set plain_byte() {
    const auto byte = static_cast<unsigned char>(text_[at_++]);
    return range(byte, byte);
  }

  struct Count {
    unsigned least = 0;
    std::optional<unsigned> most;
  };
  // After "{".
  std::optional<Count> braces() {
    const std::size_t open = at_ - 1;
    const std::size_t close = text_.find('}', at_);
    const std::string_view inside = close == std::string_view::npos ? "" : text_.substr(at_, close - at_);
    const std::size_t comma = inside.find(',');
    const auto least = parse_number<unsigned>(inside.substr(0, comma));
    Count count{least.value_or(0), least};
    bool good = least.has_value();
    if (comma != std::string_view::npos) {
      count.most = parse_number<unsigned>(inside.substr(comma + 1));
      good = good && (count.most || comma + 1 == inside.size());
    }
    if (!good || count.least > repeat_max || count.most.value_or(count.least) > repeat_max ||
        count.most.value_or(count.least) < count.least || count.most == 0u) {
      wrong(open, str_cat("{n}, {n,} or {n,m} up to ", repeat_max));
      return std::nullopt;
    }
    at_ = close + 1;
    return count;
  }

  // What may follow the atom whose text begins at `atom_at` and whose steps begin at `begin`.
  void repetition(unsigned depth, std::size_t atom_at, std::uint16_t begin) {
    const char c = text_[at_];
    if (c != '*' && c != '+' && c != '?' && c != '{') return;
    ++at_;
    Count count{c == '+' ? 1u : 0u, c == '?' ? std::optional(1u) : std::nullopt};
    if (c == '{') {
      const auto given = braces();
      if (!given) return;
      count = *given;
    }
    const std::size_t after = at_;
    if (more() && (text_[at_] == '*' || text_[at_] == '+' || text_[at_] == '?' || text_[at_] == '{')) {
      return wrong(at_, "one repetition, not two in a row");
    }
    regex_.steps_.resize(begin);
    const auto once_more = [&] {
      at_ = atom_at;
      atom(depth);
    };
    for (unsigned i = 0; i < count.least && !error_; ++i) once_more();
    if (!count.most) {
      star(once_more);
    } else {
      optional_copies(*count.most - count.least, once_more);
    }
    at_ = after;
  }

  template <class Again>
  void star(Again again) {
    const std::uint16_t split = emit({Op::split, 0, 0});
    if (error_) return;
    regex_.steps_[split].first = next_step();
    again();
    emit({Op::jump, split, 0});
    if (!error_) regex_.steps_[split].second = next_step();
  }

  template <class Again>
  void optional_copies(unsigned count, Again again) {
    std::array<std::uint16_t, repeat_max> splits;
    for (unsigned i = 0; i < count && !error_; ++i) {
      splits[i] = emit({Op::split, 0, 0});
      if (error_) return;
      regex_.steps_[splits[i]].first = next_step();
      again();
    }
    for (unsigned i = 0; i < count && !error_; ++i) regex_.steps_[splits[i]].second = next_step();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::size_t atoms_ = 0;
  Regex regex_;
  std::optional<RegexError> error_;
};

tl::expected<Regex, RegexError> Regex::compile(std::string_view pattern) {
  return RegexCompiler(pattern).compile();
}

// Adds `step` and all that can be reached from it without a byte.
void Regex::enter(States& states, std::uint16_t step) const {
  std::array<std::uint16_t, steps_max> waiting;
  std::size_t count = 0;
  const auto add = [&](std::uint16_t next) {
    if (states.test(next)) return;
    states.set(next);
    waiting[count++] = next;
  };
  add(step);
  while (count > 0) {
    const Step& at = steps_[waiting[--count]];
    if (at.op == Op::jump || at.op == Op::split) add(at.first);
    if (at.op == Op::split) add(at.second);
  }
}

bool Regex::matches(std::string_view text) const {
  States current;
  enter(current, 0);
  for (const char c : text) {
    States next;
    for (std::size_t i = current._Find_first(); i < steps_.size(); i = current._Find_next(i)) {
      const Step& step = steps_[i];
      if (step.op == Op::set && sets_[step.first].test(static_cast<unsigned char>(c))) {
        enter(next, static_cast<std::uint16_t>(i + 1));
      }
    }
    if (next.none()) return false;
    current = next;
  }
  return current.test(steps_.size() - 1);
}

}  // namespace weft::policy
