#include "sidecar/forwarded_headers.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace weft::sidecar {
namespace {

constexpr std::string_view request_id_header = "x-request-id";
constexpr std::string_view proto_header = "x-forwarded-proto";
constexpr std::string_view mesh_prefix = "x-weft-";

// `wanted` is in lower case, with '-'.
bool is_spelling_of(std::string_view name, std::string_view wanted) {
  return std::equal(name.begin(), name.end(), wanted.begin(), wanted.end(),
                    [](char c, char w) { return (c == '_' ? '-' : ascii_lower(c)) == w; });
}

void append_hex(std::string& out, std::uint64_t value, int digits) {
  constexpr std::string_view hex = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out.push_back(hex[(value >> shift) & 15]);
}

}  // namespace

std::string random_uuid(Random& random) {
  constexpr std::uint64_t version = 4;
  constexpr std::uint64_t variant = 2;
  const std::uint64_t high = random.next();
  const std::uint64_t low = random.next();
  std::string out;
  out.reserve(36);
  append_hex(out, high >> 32, 8);
  out.push_back('-');
  append_hex(out, high >> 16, 4);
  out.push_back('-');
  append_hex(out, (high & 0xfff) | version << 12, 4);
  out.push_back('-');
  append_hex(out, (low >> 48 & 0x3fff) | variant << 14, 4);
  out.push_back('-');
  append_hex(out, low, 12);
  return out;
}

void remove_claims(codec::Headers& headers) {
  std::erase_if(headers.fields(), [](const codec::Header& field) {
    const std::string_view name = field.name;
    return is_spelling_of(name, client_cert_header) ||
           is_spelling_of(name.substr(0, mesh_prefix.size()), mesh_prefix);
  });
}

void complete_forwarded_headers(codec::Headers& headers, std::string_view scheme, Random& random) {
  if (!headers.has(proto_header)) headers.add(proto_header, scheme);
  if (!headers.has(request_id_header)) headers.add(request_id_header, random_uuid(random));
}

}  // namespace weft::sidecar
