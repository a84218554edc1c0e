#include "injector/json_access.h"

#include "base/text.h"

namespace weft::injector {
namespace {

std::string_view type_in_words(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "true or false";
    case Json::value_t::null:
      return "null";
    default:
      return "a number";
  }
}

tl::unexpected<Error> wrong_type(std::string_view path, std::string_view expected, const Json& found) {
  return fail(Code::invalid, str_cat(path, ": expected ", expected, ", found ", type_in_words(found)));
}

// Nesting is counted before parsing: what is too deep is never built, nor walked by recursion.
bool too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > json_depth_max) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view what) {
  if (too_deep(text)) {
    return fail(Code::limit, str_cat(what, ": nested deeper than ", json_depth_max, " levels"));
  }
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return fail(Code::invalid, str_cat(what, ": not JSON, or cut short"));
  return value;
}

std::string to_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

const Json* member(const Json& parent, std::string_view key) {
  if (!parent.is_object()) return nullptr;
  const auto found = parent.find(key);
  return found == parent.end() || found->is_null() ? nullptr : &*found;
}

const Json* member_at(const Json& root, std::initializer_list<std::string_view> keys) {
  const Json* at = &root;
  for (const std::string_view key : keys) {
    at = member(*at, key);
    if (at == nullptr) return nullptr;
  }
  return at;
}

Result<std::string> text_member(const Json& parent, std::string_view path, std::string_view key) {
  const Json* value = member(parent, key);
  if (value == nullptr) return std::string();
  if (!value->is_string()) return wrong_type(child_path(path, key), "a string", *value);
  return value->get_ref<const std::string&>();
}

Result<std::string> needed_text_member(const Json& parent, std::string_view path, std::string_view key) {
  WEFT_ASSIGN(std::string text, text_member(parent, path, key));
  if (text.empty()) return fail(Code::invalid, str_cat(child_path(path, key), ": missing"));
  return text;
}

Result<std::map<std::string, std::string>> text_map_member(const Json& parent, std::string_view path,
                                                           std::string_view key) {
  std::map<std::string, std::string> texts;
  const Json* value = member(parent, key);
  if (value == nullptr) return texts;
  const std::string here = child_path(path, key);
  if (!value->is_object()) return wrong_type(here, "an object", *value);
  for (auto entry = value->begin(); entry != value->end(); ++entry) {
    if (!entry->is_string()) return wrong_type(child_path(here, entry.key()), "a string", *entry);
    texts.emplace(entry.key(), entry->get_ref<const std::string&>());
  }
  return texts;
}

Result<const Json*> list_member(const Json& parent, std::string_view path, std::string_view key) {
  const Json* value = member(parent, key);
  if (value != nullptr && !value->is_array()) return wrong_type(child_path(path, key), "a list", *value);
  return value;
}

Result<const Json*> needed_object_member(const Json& parent, std::string_view path, std::string_view key) {
  const Json* value = member(parent, key);
  if (value == nullptr) return fail(Code::invalid, str_cat(child_path(path, key), ": missing"));
  if (!value->is_object()) return wrong_type(child_path(path, key), "an object", *value);
  return value;
}

std::string child_path(std::string_view path, std::string_view key) {
  const bool plain = key.find_first_of("./[]\" ") == std::string_view::npos;
  if (!plain) return str_cat(path, "[\"", printable(key), "\"]");
  return path.empty() ? printable(key) : str_cat(path, ".", printable(key));
}

std::string element_path(std::string_view path, std::size_t index) { return str_cat(path, "[", index, "]"); }

}  // namespace weft::injector
