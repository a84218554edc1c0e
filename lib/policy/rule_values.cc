// weft.mesh/allow, deny, audit and weft.mesh/routes: one rule a line, or split by ";".
#include <algorithm>
#include <string>

#include "base/text.h"
#include "policy/path.h"
#include "policy/regex.h"
#include "policy/values.h"

namespace weft::policy::values {

using grammar::fault;
using grammar::fault_inside;
using grammar::Halves;
using grammar::split_at;
using grammar::split_once;

namespace {

constexpr std::size_t rules_max = 256;
constexpr std::size_t conditions_max = 16;

bool is_dns_name(std::string_view text, bool dots, std::size_t length_max) {
  return !text.empty() && text.size() <= length_max && std::all_of(text.begin(), text.end(), [dots](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (dots && c == '.');
  });
}

Parsed<RbacSource> source(const Piece& item) {
  constexpr std::string_view form = "namespace/service-account, namespace/*, * or anonymous";
  if (item.text == "*") return RbacSource{RbacSource::Kind::any_mesh, "", ""};
  if (item.text == "anonymous") return RbacSource{RbacSource::Kind::anonymous, "", ""};
  const Halves halves = split_once(item, "/");
  if (!halves.found) return fault(item, std::string(form));
  if (!is_dns_name(halves.left.text, false, 63)) return fault(item, std::string(form));
  if (halves.right.text == "*") {
    return RbacSource{RbacSource::Kind::name_space, std::string(halves.left.text), ""};
  }
  if (!is_dns_name(halves.right.text, true, 253)) {
    return fault_inside(item, halves.right.column - item.column, std::string(form));
  }
  return RbacSource{RbacSource::Kind::service_account, std::string(halves.left.text),
                    std::string(halves.right.text)};
}

// "/x" or "/x/*", as a rule keeps it; what a request could never be, or could be in two ways, is refused.
Parsed<std::string> rule_path(const Piece& item) {
  constexpr std::string_view form = "a path like /x or /x/*";
  if (!item.text.starts_with('/')) return fault(item, std::string(form));
  const bool prefix = item.text.ends_with("/*");
  const std::string_view plain = item.text.substr(0, item.text.size() - (prefix ? 2 : 0));
  const std::size_t odd = plain.find_first_of("*?# \t;\\");
  if (odd != std::string_view::npos) return fault_inside(item, odd, std::string(form));
  NormalTarget normal = normalise_target(std::string(plain));
  if (normal.hazard != PathHazard::none) {
    return fault(item, str_cat(form, " without ", path_hazard_name(normal.hazard)));
  }
  if (!prefix) return std::move(normal.target);
  if (normal.target.ends_with('/')) normal.target.pop_back();
  return normal.target.append("/*");
}

Parsed<std::string> method(const Piece& item) { return grammar::token(item, "a method like GET"); }

template <class T, class Parse>
Parsed<bool> fill(std::vector<T>& out, const Piece& items, Parse parse) {
  for (const Piece& item : split_at(items, ",")) {
    WEFT_PARSE(T parsed, parse(item));
    out.push_back(std::move(parsed));
  }
  return true;
}

Parsed<RbacRule> rule(const Piece& line) {
  constexpr std::string_view form = "from=, methods= or paths=";
  RbacRule out;
  for (const Piece& word : split_at(line, " \t")) {
    if (word.empty()) continue;
    const Halves halves = split_once(word, "=");
    if (!halves.found) return fault(word, std::string(form));
    const std::string_view key = halves.left.text;
    const bool again = (key == "from" && !out.from.empty()) || (key == "methods" && !out.methods.empty()) ||
                       (key == "paths" && !out.paths.empty());
    if (again) return fault(word, str_cat(key, "= only once in a rule"));
    if (key == "from") {
      WEFT_PARSE([[maybe_unused]] const bool done, fill(out.from, halves.right, source));
    } else if (key == "methods") {
      WEFT_PARSE([[maybe_unused]] const bool done, fill(out.methods, halves.right, method));
    } else if (key == "paths") {
      WEFT_PARSE([[maybe_unused]] const bool done, fill(out.paths, halves.right, rule_path));
    } else {
      return fault(word, std::string(form));
    }
  }
  return out;
}

Parsed<RouteCondition> header_condition(const Piece& item) {
  constexpr std::string_view form = "header(name)=value or header(name)~regex";
  constexpr std::string_view open = "header(";
  const std::size_t close = item.text.find(')');
  if (close == std::string_view::npos) return fault(item, std::string(form));
  WEFT_PARSE(const std::string name,
             grammar::token(item.from(open.size(), close - open.size()), "the name of a header"));
  const Piece rest = item.from(close + 1).trimmed();
  if (rest.text.starts_with('=')) {
    return RouteCondition{RouteCondition::Kind::header_equals, ascii_lower(name),
                          std::string(rest.from(1).trimmed().text)};
  }
  if (!rest.text.starts_with('~')) return fault_inside(item, close + 1, std::string(form));
  const Piece pattern = rest.from(1).trimmed();
  const auto regex = Regex::compile(pattern.text);
  if (!regex) return fault_inside(pattern, regex.error().at, regex.error().expected);
  return RouteCondition{RouteCondition::Kind::header_matches, ascii_lower(name), std::string(pattern.text)};
}

Parsed<RouteCondition> condition(const Piece& item) {
  if (item.text.starts_with("header(")) return header_condition(item);
  const Halves halves = split_once(item, "=");
  if (halves.found && halves.left.text == "path") {
    WEFT_PARSE(std::string path, rule_path(halves.right));
    const bool prefix = path.ends_with("/*");
    if (prefix) path.resize(path.size() - 2);
    return RouteCondition{prefix ? RouteCondition::Kind::path_prefix : RouteCondition::Kind::path_exact, "",
                          std::move(path)};
  }
  if (halves.found && halves.left.text == "method") {
    WEFT_PARSE(std::string name, method(halves.right));
    return RouteCondition{RouteCondition::Kind::method, "", std::move(name)};
  }
  return fault(item, "header(name)=value, header(name)~regex, path=/x, path=/x/* or method=GET");
}

Parsed<RouteRule> route(const Piece& line) {
  const Halves halves = split_once(line, "->");
  if (!halves.found) return fault(line, "conditions -> subset, like header(end-user)=john -> v2");
  RouteRule out;
  for (const Piece& item : split_at(halves.left, "&")) {
    if (out.conditions.size() == conditions_max)
      return fault(item, str_cat("at most ", conditions_max, " conditions"));
    WEFT_PARSE(RouteCondition parsed, condition(item));
    out.conditions.push_back(std::move(parsed));
  }
  WEFT_PARSE(out.subset, grammar::label_value(halves.right));
  return out;
}

// Applies `parse` to each line that is not empty.
template <class T, class Parse>
Parsed<std::vector<T>> lines(const Piece& value, std::string_view expected, Parse parse) {
  std::vector<T> out;
  for (const Piece& line : split_at(value, ";\n")) {
    if (line.empty()) continue;
    if (out.size() == rules_max) return fault(line, str_cat("at most ", rules_max, " rules"));
    WEFT_PARSE(T parsed, parse(line));
    out.push_back(std::move(parsed));
  }
  if (out.empty()) return fault(value, std::string(expected));
  return out;
}

}  // namespace

Parsed<std::vector<RbacRule>> rules(const Piece& value, RbacAction action, std::string_view owner) {
  constexpr std::string_view names[] = {"allow", "deny", "audit"};
  WEFT_PARSE(std::vector<RbacRule> out,
             lines<RbacRule>(value, "a rule like from=default/hello methods=GET paths=/api/*", rule));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].action = action;
    out[i].name =
        str_cat(owner, owner.empty() ? "" : " ", names[static_cast<std::size_t>(action)], " #", i + 1);
  }
  return out;
}

Parsed<std::vector<RouteRule>> routes(const Piece& value) {
  return lines<RouteRule>(value, "a route like header(end-user)=john -> v2", route);
}

}  // namespace weft::policy::values
