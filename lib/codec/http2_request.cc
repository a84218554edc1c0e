#include "codec/http2_request.h"

#include <string>

#include "base/text.h"
#include "codec/http1_scan.h"
#include "codec/http1_target.h"

namespace weft::codec {
namespace {

// RFC 9113 § 8.2.3: what HTTP/2 may split for its compression is one field for everybody else.
void join_cookies(Headers& headers) {
  if (headers.count("cookie") < 2) return;
  std::string joined;
  for (const Header& field : headers.fields()) {
    if (!equals_ignore_case(field.name, "cookie")) continue;
    if (!joined.empty()) joined += "; ";
    joined += field.value;
  }
  headers.set("cookie", joined);
}

// Without the port that goes without saying (RFC 3986 § 6.2.3).
std::string_view without_default_port(std::string_view authority, std::string_view scheme) {
  const std::size_t colon = authority.find(':', authority.rfind(']') + 1);
  if (colon == std::string_view::npos) return authority;
  const std::string_view port = authority.substr(colon + 1);
  const bool implied = port.empty() || port == (equals_ignore_case(scheme, "https") ? "443" : "80");
  return implied ? authority.substr(0, colon) : authority;
}

// One upgrade token (RFC 8441 § 4). Never h2c, which nobody may ask for any more (RFC 9113 § 3.1): an
// application that grants it would be asked for anything behind the back of all rules.
bool is_upgrade_token(std::string_view protocol) {
  return is_token(protocol) && !equals_ignore_case(protocol, "h2c");
}

}  // namespace

Status normalise_http2_request(RequestHead& head) {
  if (!is_token(head.method)) return fail(Code::invalid, "malformed method");
  if (!head.protocol.empty() && !is_upgrade_token(head.protocol))
    return fail(Code::invalid, "no such :protocol");
  if (head.headers.count("host") > 1) return fail(Code::invalid, "more than one Host field");
  const auto host = head.headers.get("host");
  if (host && head.authority.empty()) head.authority = std::string(*host);
  // Two names for one request is how a check of the one is passed with the other.
  if (host && !equals_ignore_case(without_default_port(*host, head.scheme),
                                  without_default_port(head.authority, head.scheme)))
    return fail(Code::invalid, "Host is not :authority");
  head.headers.remove("host");
  if (!is_authority(head.authority)) return fail(Code::invalid, "malformed :authority");
  if (head.method == "CONNECT" && head.protocol.empty()) {
    if (!parse_target(head.authority, head)) return fail(Code::invalid, "CONNECT wants host:port");
  } else {
    // nghttp2 lets only a path or "*" through, but of schemes that it does not know; the bytes within are
    // looked at here.
    RequestHead plain;
    plain.method = head.method == "CONNECT" ? "GET" : head.method;
    const bool whole_server = head.target == "*" && head.method == "OPTIONS";
    if ((!head.target.starts_with('/') && !whole_server) || !parse_target(head.target, plain))
      return fail(Code::invalid, "malformed :path");
  }
  join_cookies(head.headers);
  return {};
}

}  // namespace weft::codec
