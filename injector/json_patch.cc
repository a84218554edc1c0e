#include "injector/json_patch.h"

#include <optional>
#include <vector>

#include "base/text.h"
#include "injector/json_access.h"

namespace weft::injector {
namespace {

using Segments = std::vector<std::string>;

Result<Segments> parse_pointer(std::string_view pointer) {
  Segments segments;
  if (pointer.empty()) return segments;
  if (pointer.front() != '/') return fail(Code::invalid, "a pointer begins with '/'");
  for (const std::string_view raw : split(pointer.substr(1), '/')) {
    std::string segment;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '~') {
        segment.push_back(raw[i]);
        continue;
      }
      const char code = i + 1 < raw.size() ? raw[i + 1] : '\0';
      if (code != '0' && code != '1') return fail(Code::invalid, "'~' in a pointer is followed by 0 or 1");
      segment.push_back(code == '0' ? '~' : '/');
      ++i;
    }
    segments.push_back(std::move(segment));
  }
  return segments;
}

// An index into a list of `size` elements (RFC 6901 § 4: no leading zeros).
std::optional<std::size_t> parse_index(std::string_view segment, std::size_t size) {
  if (segment.size() > 1 && segment.front() == '0') return std::nullopt;
  const auto index = parse_number<std::size_t>(segment);
  return index && *index < size ? index : std::nullopt;
}

Result<Json*> step(Json& at, const std::string& segment) {
  if (at.is_object()) {
    const auto found = at.find(segment);
    if (found != at.end()) return &*found;
  } else if (at.is_array()) {
    if (const auto index = parse_index(segment, at.size())) return &at[*index];
  }
  return fail(Code::not_found, str_cat("no such member: '", printable(segment), "'"));
}

Result<Json*> find(Json& root, const Segments& segments, std::size_t count) {
  Json* at = &root;
  for (std::size_t i = 0; i < count; ++i) {
    WEFT_ASSIGN(at, step(*at, segments[i]));
  }
  return at;
}

Status add(Json& root, const Segments& path, Json value) {
  if (path.empty()) {
    root = std::move(value);
    return {};
  }
  WEFT_ASSIGN(Json* const parent, find(root, path, path.size() - 1));
  const std::string& last = path.back();
  if (parent->is_object()) {
    (*parent)[last] = std::move(value);
    return {};
  }
  if (!parent->is_array()) return fail(Code::invalid, "the parent is neither an object nor a list");
  const auto index = last == "-" ? parent->size() : parse_index(last, parent->size() + 1);
  if (!index) return fail(Code::invalid, str_cat("no such place in the list: '", printable(last), "'"));
  parent->insert(parent->begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
  return {};
}

// Takes the value out of the document.
Result<Json> remove(Json& root, const Segments& path) {
  if (path.empty()) return fail(Code::invalid, "the whole document cannot be removed");
  WEFT_ASSIGN(Json* const parent, find(root, path, path.size() - 1));
  WEFT_ASSIGN(Json* const target, step(*parent, path.back()));
  Json value = std::move(*target);
  if (parent->is_object()) {
    parent->erase(path.back());
  } else {
    parent->erase(parent->begin() + (target - &*parent->begin()));
  }
  return value;
}

Status replace(Json& root, const Segments& path, Json value) {
  WEFT_ASSIGN(Json* const target, find(root, path, path.size()));
  *target = std::move(value);
  return {};
}

bool is_inside(const Segments& inner, const Segments& outer) {
  return inner.size() > outer.size() && std::equal(outer.begin(), outer.end(), inner.begin());
}

Status apply_from(Json& root, const std::string& kind, const Json& operation, const Segments& path) {
  WEFT_ASSIGN(const std::string from_text, text_member(operation, "", "from"));
  WEFT_ASSIGN(const Segments from, parse_pointer(from_text));
  if (kind == "copy") {
    WEFT_ASSIGN(const Json* const source, find(root, from, from.size()));
    return add(root, path, Json(*source));
  }
  if (is_inside(path, from)) return fail(Code::invalid, "a value cannot be moved into itself");
  WEFT_ASSIGN(Json value, remove(root, from));
  return add(root, path, std::move(value));
}

Status apply_one(Json& root, const Json& operation, const std::string& kind, std::string_view pointer) {
  WEFT_ASSIGN(const Segments path, parse_pointer(pointer));
  if (kind == "move" || kind == "copy") return apply_from(root, kind, operation, path);
  if (kind == "remove") {
    WEFT_TRY(remove(root, path));
    return {};
  }
  if (kind != "add" && kind != "replace" && kind != "test") return fail(Code::invalid, "no such operation");
  // A null value is a value.
  const auto value = operation.find("value");
  if (value == operation.end()) return fail(Code::invalid, "value: missing");
  if (kind == "add") return add(root, path, *value);
  if (kind == "replace") return replace(root, path, *value);
  WEFT_ASSIGN(const Json* const found, find(root, path, path.size()));
  if (*found != *value) return fail(Code::refused, "the test failed: another value is there");
  return {};
}

}  // namespace

Result<std::string> apply_json_patch(std::string_view document, std::string_view patch) {
  WEFT_ASSIGN(Json root, parse_json(document, "the document"));
  if (patch.empty()) return to_text(root);
  WEFT_ASSIGN(const Json operations, parse_json(patch, "the patch"));
  if (!operations.is_array()) return fail(Code::invalid, "the patch: expected a list of operations");
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Json& operation = operations[i];
    const std::string where = str_cat("operation ", i + 1);
    const auto kind = needed_text_member(operation, where, "op");
    if (!kind) return fail(kind.error());
    // The whole document is an empty path, so it may be empty but not missing.
    if (member(operation, "path") == nullptr) return fail(Code::invalid, str_cat(where, ".path: missing"));
    const auto path = text_member(operation, where, "path");
    if (!path) return fail(path.error());
    const auto applied = apply_one(root, operation, *kind, *path);
    if (!applied) {
      return fail(applied.error().in(str_cat(where, " (", printable(*kind), " ", printable(*path), ")")));
    }
  }
  return to_text(root);
}

std::string pointer_escape(std::string_view key) {
  std::string escaped;
  for (const char c : key) {
    if (c == '~') {
      escaped += "~0";
    } else if (c == '/') {
      escaped += "~1";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace weft::injector
