#include "base/spiffe_id.h"

#include <algorithm>

#include "base/text.h"

namespace weft {
namespace {

constexpr std::size_t uri_bytes_max = 2048;  // SPIFFE-ID § 2.3

bool is_name(std::string_view text, std::string_view also, std::size_t length_max) {
  return !text.empty() && text.size() <= length_max && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.find(c) != std::string_view::npos;
  });
}

}  // namespace

Result<SpiffeId> SpiffeId::parse(std::string_view uri) {
  const auto bad = [&](std::string_view why) {
    return fail(Code::invalid, str_cat("SPIFFE id '", printable(uri), "': ", why));
  };
  constexpr std::string_view scheme = "spiffe://";
  if (uri.size() > uri_bytes_max) return bad("longer than 2048 bytes");
  if (!uri.starts_with(scheme)) return bad("does not begin with spiffe://");
  const auto parts = split(uri.substr(scheme.size()), '/');
  if (parts.size() != 5 || parts[1] != "ns" || parts[3] != "sa") {
    return bad("expected spiffe://<trust-domain>/ns/<namespace>/sa/<service-account>");
  }
  if (!is_name(parts[0], ".-_", 255)) return bad("the trust domain may hold a-z, 0-9, '.', '-' and '_'");
  if (!is_name(parts[2], "-", 63)) return bad("the namespace may hold a-z, 0-9 and '-'");
  if (!is_name(parts[4], "-.", 253)) return bad("the service account may hold a-z, 0-9, '-' and '.'");
  return SpiffeId{std::string(parts[0]), std::string(parts[2]), std::string(parts[4])};
}

std::string SpiffeId::to_string() const {
  return str_cat("spiffe://", trust_domain, "/ns/", name_space, "/sa/", service_account);
}

}  // namespace weft
