#include "kube/json_field.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "kube/manifests.h"

namespace weft::kube {
namespace {

std::string describe_value(const Json& value) {
  switch (value.type()) {
    case Json::value_t::string:
      return str_cat("'", printable(*value.get_ptr<const std::string*>(), 64), "'");
    case Json::value_t::boolean:
      return str_cat("the boolean ", value.dump());
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      return str_cat("the number ", value.dump());
    case Json::value_t::object:
      return "a mapping";
    case Json::value_t::array:
      return "a list";
    default:
      return "nothing";
  }
}

bool is_name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_dns_label(std::string_view text) {
  if (text.empty() || text.size() > 63 || !is_name_char(text.front()) || !is_name_char(text.back()))
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_name_char(c) || c == '-'; });
}

bool is_dns_subdomain(std::string_view text) {
  if (text.size() > 253) return false;
  const auto labels = split(text, '.');
  return std::all_of(labels.begin(), labels.end(), is_dns_label);
}

// IANA service names (RFC 6335 § 5.1), as Kubernetes demands of port names.
bool is_port_name(std::string_view text) {
  return is_dns_label(text) && text.size() <= 15 &&
         std::any_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

bool is_plain_word(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return is_name_char(ascii_lower(c)) || c == '_' || c == '-';
  });
}

bool too_deep(std::string_view text) {
  unsigned depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') ++i;
    if (c == '"') in_string = !in_string;
    if (in_string) continue;
    if ((c == '{' || c == '[') && ++depth > manifest_depth_max) return true;
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return false;
}

}  // namespace

std::string member_path(std::string_view parent, std::string_view key) {
  if (!is_plain_word(key)) return str_cat(parent, "[\"", printable(key), "\"]");
  return parent.empty() ? std::string(key) : str_cat(parent, ".", key);
}

std::string element_path(std::string_view parent, std::size_t index) {
  return str_cat(parent, "[", index, "]");
}

void Problem::note(std::string_view where, std::string what) {
  if (!message.empty()) return;
  path = where;
  message = std::move(what);
}

std::string Problem::text() const { return path.empty() ? message : str_cat(path, ": ", message); }

bool JsonField::present() const { return value_ != nullptr && !value_->is_null(); }

std::size_t JsonField::list_size() const {
  if (!present()) return 0;
  if (value_->is_array()) return value_->size();
  unexpected("a list");
  return 0;
}

JsonField JsonField::element(std::size_t index) const {
  return {&(*value_)[index], element_path(path_, index), *problem_};
}

bool JsonField::expect_map() const {
  if (!present()) return false;
  if (value_->is_object()) return true;
  unexpected("a mapping");
  return false;
}

JsonField JsonField::operator[](std::string_view key) const {
  const Json* found = nullptr;
  if (expect_map()) {
    const auto member = value_->find(key);
    if (member != value_->end()) found = &*member;
  }
  return {found, member_path(path_, key), *problem_};
}

void JsonField::unexpected(std::string_view expected) const {
  static const Json nothing;
  wrong(str_cat("expected ", expected, ", found ", describe_value(value_ != nullptr ? *value_ : nothing)));
}

std::string JsonField::text(std::string_view fallback) const {
  if (!present()) return std::string(fallback);
  if (const auto* found = value_->get_ptr<const std::string*>()) return *found;
  unexpected("text");
  if (value_->is_primitive() && problem_->path == path_ &&
      problem_->message.find("quotes") == std::string::npos)
    problem_->message += "; put it in quotes";
  return std::string(fallback);
}

std::string JsonField::needed_text() const {
  std::string found = text();
  if (found.empty()) unexpected("text");
  return found;
}

bool JsonField::boolean(bool fallback) const {
  if (!present()) return fallback;
  if (const auto* found = value_->get_ptr<const bool*>()) return *found;
  unexpected("true or false");
  return fallback;
}

std::uint32_t JsonField::number(std::uint32_t least, std::uint32_t most, std::uint32_t fallback) const {
  if (!present()) return fallback;
  // Fits both: a signed one that is not negative is stored as an unsigned one by the parser.
  if (value_->is_number_unsigned()) {
    const std::uint64_t found = *value_->get_ptr<const std::uint64_t*>();
    if (found >= least && found <= most) return static_cast<std::uint32_t>(found);
  }
  unexpected(str_cat("a number ", least, " to ", most));
  return fallback;
}

std::chrono::seconds JsonField::seconds(std::chrono::seconds fallback) const {
  constexpr std::uint32_t longest = 10U * 365 * 24 * 3600;
  return std::chrono::seconds(number(0, longest, static_cast<std::uint32_t>(fallback.count())));
}

std::uint16_t JsonField::needed_port() const {
  if (!present()) unexpected("a number 1 to 65535");
  return static_cast<std::uint16_t>(number(1, 65535, 0));
}

PortRef JsonField::port_ref() const {
  if (!present()) return {};
  if (value_->is_number()) return {needed_port(), {}};
  const auto* name = value_->get_ptr<const std::string*>();
  if (name != nullptr && is_port_name(*name)) return {0, *name};
  unexpected("a port number or the name of a container port");
  return {};
}

std::vector<std::string> JsonField::texts() const {
  std::vector<std::string> out;
  each([&](const JsonField& element) { out.push_back(element.text()); });
  return out;
}

Labels JsonField::text_map() const {
  Labels out;
  if (!expect_map()) return out;
  for (const auto& [key, value] : value_->items())
    out[key] = JsonField(&value, member_path(path_, key), *problem_).text();
  return out;
}

Labels JsonField::quantity_map() const {
  Labels out;
  if (!expect_map()) return out;
  for (const auto& [key, value] : value_->items())
    out[key] =
        value.is_number() ? value.dump() : JsonField(&value, member_path(path_, key), *problem_).text();
  return out;
}

IpAddress JsonField::ip() const {
  const auto parsed = IpAddress::parse(text());
  if (parsed) return *parsed;
  unexpected("an IP address");
  return {};
}

std::string JsonField::dns_label() const {
  std::string found = text();
  if (present() && !is_dns_label(found))
    unexpected("a name of at most 63 lower-case letters, digits and dashes");
  return found;
}

std::string JsonField::dns_subdomain() const {
  std::string found = text();
  if (present() && !is_dns_subdomain(found))
    unexpected("a name of lower-case letters, digits, dashes and dots");
  return found;
}

Result<Json> parse_json(std::string_view text) {
  if (text.size() > manifest_bytes_max)
    return fail(Code::limit, str_cat("larger than ", manifest_bytes_max, " bytes"));
  if (too_deep(text)) return fail(Code::limit, str_cat("nested deeper than ", manifest_depth_max));
  Json root = Json::parse(text, nullptr, false);
  if (root.is_discarded()) return fail(Code::invalid, "not JSON");
  return root;
}

}  // namespace weft::kube
