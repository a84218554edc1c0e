// Reading JSON that came from outside: bounded in depth, and every access checked. Internal to injector/: it
// shows nlohmann's type.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace weft::injector {

using Json = nlohmann::json;

inline constexpr std::size_t json_depth_max = 64;

// `what` names the text in errors: "AdmissionReview: not JSON, or cut short".
Result<Json> parse_json(std::string_view text, std::string_view what);
// One line, bytes that are no UTF-8 replaced.
std::string to_text(const Json& value);

// A member; nullptr when `parent` is no object, has no such member, or it is null.
const Json* member(const Json& parent, std::string_view key);
// The same along several keys.
const Json* member_at(const Json& root, std::initializer_list<std::string_view> keys);

// "" when absent. Errors: "request.uid: expected a string, found a number"; `path` is where `parent` stands.
Result<std::string> text_member(const Json& parent, std::string_view path, std::string_view key);
Result<std::string> needed_text_member(const Json& parent, std::string_view path, std::string_view key);
// An object of strings, as labels and annotations are; empty when absent.
Result<std::map<std::string, std::string>> text_map_member(const Json& parent, std::string_view path,
                                                           std::string_view key);
// A list, nullptr when absent.
Result<const Json*> list_member(const Json& parent, std::string_view path, std::string_view key);
Result<const Json*> needed_object_member(const Json& parent, std::string_view path, std::string_view key);

std::string child_path(std::string_view path, std::string_view key);
std::string element_path(std::string_view path, std::size_t index);

}  // namespace weft::injector
