#include "codec/message.h"

#include <algorithm>

#include "base/text.h"

namespace weft::codec {

void Headers::set(std::string_view name, std::string_view value) {
  const auto same = [&](const Header& field) { return equals_ignore_case(field.name, name); };
  const auto first = std::find_if(fields_.begin(), fields_.end(), same);
  if (first == fields_.end()) return add(name, value);
  first->value = value;
  fields_.erase(std::remove_if(first + 1, fields_.end(), same), fields_.end());
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const Header& field) { return equals_ignore_case(field.name, name); });
}

void Headers::remove_prefix(std::string_view prefix) {
  std::erase_if(fields_, [&](const Header& field) {
    return field.name.size() >= prefix.size() &&
           equals_ignore_case(std::string_view(field.name).substr(0, prefix.size()), prefix);
  });
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const Header& field : fields_) {
    if (equals_ignore_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(fields_.begin(), fields_.end(), [&](const Header& field) {
    return equals_ignore_case(field.name, name);
  }));
}

bool Headers::list_has(std::string_view name, std::string_view token) const {
  for (const Header& field : fields_) {
    if (!equals_ignore_case(field.name, name)) continue;
    for (const std::string_view item : split(field.value, ',')) {
      if (equals_ignore_case(trim(item), token)) return true;
    }
  }
  return false;
}

}  // namespace weft::codec
