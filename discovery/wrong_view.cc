#include "discovery/wrong_view.h"

#include <nlohmann/json.hpp>

namespace weft::discovery {
namespace {

using Json = nlohmann::json;

std::string text_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? *found->get_ptr<const std::string*>() : std::string();
}

policy::AnnotationError parse_error(const Json& error) {
  const auto column = error.find("column");
  const bool known = column != error.end() && column->is_number_unsigned();
  return {text_member(error, "annotation"), known ? column->get<std::size_t>() : 0,
          text_member(error, "text")};
}

PolicyObjects::Wrong parse_wrong(const Json& entry) {
  PolicyObjects::Wrong out{text_member(entry, "object"), {}, {}};
  for (const Json& error : entry.value("errors", Json::array())) {
    if (error.is_object()) out.errors.push_back(parse_error(error));
  }
  const Json in_force = entry.value("in_force", Json::object());
  for (const auto& [key, value] : in_force.items()) {
    if (value.is_string()) out.in_force[key] = *value.get_ptr<const std::string*>();
  }
  return out;
}

}  // namespace

std::string wrong_view(const std::vector<PolicyObjects::Wrong>& wrong) {
  Json list = Json::array();
  for (const PolicyObjects::Wrong& object : wrong) {
    Json entry = {{"object", object.object}, {"errors", Json::array()}, {"in_force", object.in_force}};
    for (const policy::AnnotationError& error : object.errors)
      entry["errors"].push_back(
          {{"annotation", error.annotation}, {"column", error.column}, {"text", error.text}});
    list.push_back(std::move(entry));
  }
  return list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::vector<PolicyObjects::Wrong>> parse_wrong_view(std::string_view json) {
  const Json list = Json::parse(json, nullptr, false);
  if (!list.is_array()) return fail(Code::invalid, "discovery's /annotations: expected a list");
  std::vector<PolicyObjects::Wrong> out;
  for (const Json& entry : list) {
    if (entry.is_object()) out.push_back(parse_wrong(entry));
  }
  return out;
}

}  // namespace weft::discovery
