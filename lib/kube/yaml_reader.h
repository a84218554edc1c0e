// YAML documents as JSON values, with the place of every field. The only user of yaml-cpp. Internal to
// lib/kube.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kube/json_field.h"

namespace weft::kube {

struct Place {
  unsigned line = 0;  // 1-based
  unsigned column = 0;
  std::string to_string() const;  // "14:3"
};

struct YamlDocument {
  std::shared_ptr<const Json> value;  // never null
  Place begin;
  std::map<std::string, Place> places;  // by path, as JsonField makes it
  // The place of `path`, or of the nearest field above it that has one.
  Place place_of(std::string path) const;
};

// All documents that are not empty. The error begins with "line:column: ".
Result<std::vector<YamlDocument>> read_yaml(std::string_view text);

std::string write_yaml(const Json& value);

}  // namespace weft::kube
