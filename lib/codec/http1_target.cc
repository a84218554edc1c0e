#include "codec/http1_target.h"

#include <algorithm>
#include <cstdint>

#include "base/address.h"
#include "base/text.h"

namespace weft::codec {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// reg-name: unreserved, sub-delims and percent-encoded bytes.
bool is_host_char(char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("-._~!$&'()*+,;=%").find(c) != std::string_view::npos;
}

bool is_port(std::string_view text) { return text.empty() || parse_number<std::uint16_t>(text).has_value(); }

// Visible ASCII without '#': a fragment is never sent. Wider than RFC 3986, for browsers send `|`, `{` and
// the like as they are.
bool is_path_and_query(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

bool parse_absolute(std::string_view target, RequestHead& head) {
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos) return false;
  const std::string scheme = ascii_lower(target.substr(0, colon));
  if (scheme != "http" && scheme != "https") return false;
  const std::string_view rest = target.substr(colon + 3);
  const std::size_t path = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view authority = rest.substr(0, path);
  if (authority.empty() || authority.front() == ':' || !is_authority(authority)) return false;
  const std::string_view path_and_query = rest.substr(path);
  if (!is_path_and_query(path_and_query)) return false;
  head.scheme = scheme;
  head.authority = std::string(authority);
  if (path_and_query.empty()) {
    head.target = std::string(head.method == "OPTIONS" ? "*" : "/");  // RFC 9112 § 3.2.4
  } else {
    head.target = path_and_query.front() == '/' ? std::string(path_and_query) : str_cat('/', path_and_query);
  }
  return true;
}

}  // namespace

bool is_authority(std::string_view text) {
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    const auto ip = IpAddress::parse(text.substr(1, close - 1));
    if (!ip || text.substr(1, close - 1).find(':') == std::string_view::npos) return false;
    const std::string_view rest = text.substr(close + 1);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
  }
  const std::size_t colon = text.find(':');
  const std::string_view host = text.substr(0, colon);
  for (std::size_t i = 0; i < host.size(); ++i) {
    if (!is_host_char(host[i])) return false;
    if (host[i] == '%' && (i + 2 >= host.size() || !is_hex(host[i + 1]) || !is_hex(host[i + 2])))
      return false;
  }
  return colon == std::string_view::npos || is_port(text.substr(colon + 1));
}

bool parse_target(std::string_view target, RequestHead& head) {
  if (target.empty()) return false;
  if (head.method == "CONNECT") {
    const std::size_t port = target.rfind(':');
    if (!is_authority(target) || port == 0 || port == std::string_view::npos || port + 1 == target.size())
      return false;
    if (target.back() == ']') return false;
    head.target = std::string(target);
    head.authority = std::string(target);
    return true;
  }
  if (target == "*") {
    if (head.method != "OPTIONS") return false;
    head.target = std::string(target);
    return true;
  }
  if (target.front() != '/') return parse_absolute(target, head);
  if (!is_path_and_query(target)) return false;
  head.target = std::string(target);
  return true;
}

}  // namespace weft::codec
