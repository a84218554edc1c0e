#include "policy/caller_key.h"

#include <cmath>

#include "base/hash.h"
#include "base/text.h"

namespace weft::policy {
namespace {

// In "a=1; sid=x", the cookie-string of RFC 6265 § 4.2.1.
std::optional<std::string_view> cookie_in(std::string_view pairs, std::string_view name) {
  while (!pairs.empty()) {
    const std::size_t end = pairs.find(';');
    const std::string_view pair = trim(pairs.substr(0, end));
    if (pair.size() > name.size() + 1 && pair.starts_with(name) && pair[name.size()] == '=')
      return pair.substr(name.size() + 1);
    if (end == std::string_view::npos) break;
    pairs.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> caller_of(const CallerKey& key, const codec::RequestHead& head) {
  if (key.kind == CallerKey::Kind::header && key.name == "host")
    return head.authority.empty() ? std::nullopt : std::optional<std::string_view>(head.authority);
  const bool cookie = key.kind == CallerKey::Kind::cookie;
  const std::string_view field_name = cookie ? "cookie" : std::string_view(key.name);
  // HTTP/2 may split the cookies over several fields (RFC 9113 § 8.2.3).
  for (const codec::Header& field : head.headers.fields()) {
    if (!equals_ignore_case(field.name, field_name)) continue;
    if (cookie) {
      if (const auto found = cookie_in(field.value, key.name)) return found;
    } else if (!field.value.empty()) {
      return field.value;
    }
  }
  return std::nullopt;
}

double sticky_score(std::uint64_t caller, std::uint64_t part, std::uint32_t weight) {
  // Uniform in (0, 1): minus its logarithm is the waiting time of a part that rings once a unit of time, and
  // the first of several to ring is one of them by weight.
  const double uniform = (static_cast<double>(mix_bits(caller ^ part) >> 11) + 0.5) * 0x1.0p-53;
  return weight / -std::log(uniform);
}

}  // namespace weft::policy
