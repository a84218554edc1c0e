#include "sidecar/exposition.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_set>
#include <vector>

#include "base/text.h"

namespace weft::sidecar {
namespace {

bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

// A line that is read from its beginning.
class Cursor {
 public:
  explicit Cursor(std::string_view line) : rest_(line) {}
  std::string_view rest() const { return rest_; }
  bool at_end() const { return rest_.empty(); }
  // Whether there were any.
  bool skip_blanks() {
    const std::size_t before = rest_.size();
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    return rest_.size() < before;
  }
  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // A name of a metric, or of a label, which has no colons; empty: none is here.
  std::string_view name(bool metric) {
    std::size_t size = 0;
    while (size < rest_.size() &&
           (is_alpha(rest_[size]) || (metric && rest_[size] == ':') || (size > 0 && is_digit(rest_[size]))))
      ++size;
    return take(size);
  }
  std::string_view word() {
    return take(static_cast<std::size_t>(std::find_if(rest_.begin(), rest_.end(), is_blank) - rest_.begin()));
  }
  // "…", with \\, \" and \n as the only escapes.
  bool quoted() {
    if (!skip('"')) return false;
    while (!rest_.empty()) {
      if (skip('"')) return true;
      if (skip('\\') && !skip('\\') && !skip('"') && !skip('n')) return false;
      if (!rest_.empty() && rest_.front() != '"' && rest_.front() != '\\') rest_.remove_prefix(1);
    }
    return false;
  }

 private:
  std::string_view take(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view rest_;
};

bool skip_labels(Cursor& at) {
  std::vector<std::string_view> names;
  while (true) {
    at.skip_blanks();
    if (at.skip('}')) return true;
    const std::string_view name = at.name(false);
    // Prometheus refuses the page for a name that comes twice; __name__ would be the metric's second.
    if (name.empty() || name == "__name__" || std::find(names.begin(), names.end(), name) != names.end())
      return false;
    names.push_back(name);
    at.skip_blanks();
    if (!at.skip('=')) return false;
    at.skip_blanks();
    if (!at.quoted()) return false;
    at.skip_blanks();
    if (!at.skip(',') && !at.rest().starts_with('}')) return false;
  }
}

bool is_value(std::string_view text) {
  if (equals_ignore_case(text, "nan")) return true;
  const bool sign = text.starts_with('+') || text.starts_with('-');
  const std::string_view number = text.substr(sign ? 1 : 0);
  if (equals_ignore_case(number, "inf")) return true;
  if (number.empty() || !(is_digit(number.front()) || number.front() == '.')) return false;
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  return error == std::errc() && end == number.data() + number.size();
}

bool is_timestamp(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

struct Sample {
  std::string_view name;
  std::string_view text;  // of the line, as it is passed on
};

std::optional<Sample> read_sample(std::string_view line, bool open_metrics) {
  Cursor at(line);
  const std::string_view name = at.name(true);
  const bool blank = at.skip_blanks();
  if (name.empty()) return std::nullopt;
  if (at.skip('{')) {
    if (!skip_labels(at)) return std::nullopt;
    at.skip_blanks();
  } else if (!blank) {
    return std::nullopt;
  }
  if (!is_value(at.word())) return std::nullopt;
  if (open_metrics) return Sample{name, line.substr(0, line.size() - at.rest().size())};
  at.skip_blanks();
  if (!at.at_end()) {
    if (!is_timestamp(at.word())) return std::nullopt;
    at.skip_blanks();
  }
  return at.at_end() ? std::optional(Sample{name, line}) : std::nullopt;
}

// Escapes of a help text: \\ and \n.
bool is_help_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') continue;
    if (++i == text.size() || (text[i] != '\\' && text[i] != 'n')) return false;
  }
  return true;
}

bool is_type(std::string_view text) {
  return text == "counter" || text == "gauge" || text == "histogram" || text == "summary" ||
         text == "untyped";
}

class Page {
 public:
  explicit Page(bool open_metrics) : open_metrics_(open_metrics) {}

  bool add(std::string_view line) {
    while (!line.empty() && (line.back() == '\r' || is_blank(line.back()))) line.remove_suffix(1);
    line = trim(line);
    if (line.empty()) return true;
    if (line.front() == '#') {
      add_comment(line.substr(1));
      return true;
    }
    const auto sample = read_sample(line, open_metrics_);
    if (!sample) return false;
    sampled_.insert(sample->name);
    out_.append(sample->text).push_back('\n');
    return true;
  }
  std::string take() { return std::move(out_); }

 private:
  // What is said of a family too late or for the second time makes a page unreadable; it is no loss.
  void add_comment(std::string_view text) {
    Cursor at(text);
    at.skip_blanks();
    const std::string_view keyword = at.word();
    at.skip_blanks();
    const std::string_view name = at.name(true);
    if ((!at.skip_blanks() && !at.at_end()) || name.empty() || sampled_.contains(name)) return;
    const bool help = keyword == "HELP" && is_help_text(at.rest()) && helped_.insert(name).second;
    const bool type = keyword == "TYPE" && is_type(at.rest()) && typed_.insert(name).second;
    if (!help && !type) return;
    out_.append("# ").append(keyword).append(" ").append(name).append(" ").append(at.rest()).push_back('\n');
  }

  bool open_metrics_;
  // Into the page that is read.
  std::unordered_set<std::string_view> helped_;
  std::unordered_set<std::string_view> typed_;
  std::unordered_set<std::string_view> sampled_;
  std::string out_;
};

// Calls `line` for each, without its end, as long as it returns true.
template <class Line>
void each_line(std::string_view page, Line line) {
  while (!page.empty()) {
    const std::size_t end = page.find('\n');
    if (!line(page.substr(0, end))) return;
    page.remove_prefix(end == std::string_view::npos ? page.size() : end + 1);
  }
}

bool ends_as_open_metrics(std::string_view page) {
  while (page.ends_with('\n') || page.ends_with('\r')) page.remove_suffix(1);
  return page == "# EOF" || page.ends_with("\n# EOF");
}

// Of a readable line: a sample, HELP or TYPE.
std::string_view metric_of(std::string_view line) {
  Cursor at(line.starts_with('#') ? line.substr(std::string_view("# TYPE ").size()) : line);
  return at.name(true);
}

using Families = std::set<std::string, std::less<>>;

Families families_of(std::string_view page) {
  Families families;
  each_line(page, [&families](std::string_view line) {
    if (line.starts_with("# TYPE ")) families.emplace(metric_of(line));
    return true;
  });
  return families;
}

bool belongs(const Families& families, std::string_view metric) {
  if (families.contains(metric)) return true;
  for (const std::string_view series : {"_bucket", "_sum", "_count"}) {
    if (metric.ends_with(series)) return families.contains(metric.substr(0, metric.size() - series.size()));
  }
  return false;
}

}  // namespace

Result<std::string> readable_exposition(std::string_view page) {
  if (page.find('\0') != std::string_view::npos || !is_utf8(page))
    return fail(Code::invalid, "the page is not UTF-8 text");
  Page out(ends_as_open_metrics(page));
  std::size_t number = 0;
  std::string_view wrong;
  each_line(page, [&](std::string_view line) {
    ++number;
    if (out.add(line)) return true;
    wrong = line;
    return false;
  });
  if (!wrong.empty())
    return fail(Code::invalid,
                str_cat("line ", number, ": expected a sample of Prometheus' text format, found '",
                        printable(wrong), "'"));
  return out.take();
}

std::string merge_expositions(std::string own, std::string_view application) {
  const Families families = families_of(own);
  std::size_t left_out = 0;
  std::string_view metric;
  bool ours = false;
  own.reserve(own.size() + application.size());
  each_line(application, [&](std::string_view line) {
    const std::string_view name = metric_of(line);
    if (name != metric) ours = belongs(families, name);
    metric = name;
    if (ours)
      ++left_out;
    else
      own.append(line).push_back('\n');
    return true;
  });
  if (left_out > 0)
    own += str_cat("# weft: ", left_out,
                   " lines of the application's are left out: the sidecar has metrics of these names\n");
  return own;
}

std::string missing_application_comment(std::string_view why) {
  return str_cat("# weft: without the application's metrics: ", printable(why), "\n");
}

}  // namespace weft::sidecar
