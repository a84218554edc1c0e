#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/local/control.h"

namespace weft::local {
namespace {

using nlohmann::json;

Status take(const json& object, const char* name, std::string& into) {
  const auto found = object.find(name);
  if (found == object.end()) return {};
  if (!found->is_string()) return fail(Code::invalid, str_cat(name, ": expected text"));
  into = *found->get_ptr<const std::string*>();
  return {};
}

Status take(const json& object, const char* name, std::optional<std::uint32_t>& into) {
  const auto found = object.find(name);
  if (found == object.end()) return {};
  constexpr json::number_unsigned_t most = 1'000'000;
  const auto* const number = found->get_ptr<const json::number_unsigned_t*>();
  if (number == nullptr || *number > most)
    return fail(Code::invalid, str_cat(name, ": expected a number up to ", most));
  into = static_cast<std::uint32_t>(*number);
  return {};
}

}  // namespace

std::string to_json(const ControlRequest& request) {
  json object = {{"verb", request.verb}, {"namespace", request.name_space}};
  for (const auto& [name, value] :
       {std::pair{"name", &request.name}, std::pair{"container", &request.container},
        std::pair{"file", &request.file}, std::pair{"text", &request.text},
        std::pair{"path", &request.path}}) {
    if (!value->empty()) object[name] = *value;
  }
  if (!request.changes.empty()) object["changes"] = request.changes;
  if (request.replicas) object["replicas"] = *request.replicas;
  if (request.grace) object["grace"] = *request.grace;
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ControlRequest> parse_control_request(std::string_view line) {
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object()) return fail(Code::invalid, "not a JSON object");
  ControlRequest request;
  WEFT_TRY(take(object, "verb", request.verb));
  WEFT_TRY(take(object, "namespace", request.name_space));
  WEFT_TRY(take(object, "name", request.name));
  WEFT_TRY(take(object, "container", request.container));
  WEFT_TRY(take(object, "file", request.file));
  WEFT_TRY(take(object, "text", request.text));
  WEFT_TRY(take(object, "path", request.path));
  WEFT_TRY(take(object, "replicas", request.replicas));
  WEFT_TRY(take(object, "grace", request.grace));
  if (request.name_space.empty()) request.name_space = "default";
  const auto changes = object.find("changes");
  if (changes == object.end()) return request;
  if (!changes->is_array()) return fail(Code::invalid, "changes: expected a list");
  for (const json& change : *changes) {
    if (!change.is_string()) return fail(Code::invalid, "changes: expected text");
    request.changes.push_back(*change.get_ptr<const std::string*>());
  }
  return request;
}

}  // namespace weft::local
