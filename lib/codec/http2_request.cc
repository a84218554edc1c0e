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

}  // namespace

Status normalise_http2_request(RequestHead& head) {
  if (!is_token(head.method)) return fail(Code::invalid, "malformed method");
  if (head.headers.count("host") > 1) return fail(Code::invalid, "more than one Host field");
  const auto host = head.headers.get("host");
  if (host && head.authority.empty()) head.authority = std::string(*host);
  // Two names for one request is how a check of the one is passed with the other.
  if (host && !equals_ignore_case(*host, head.authority))
    return fail(Code::invalid, "Host is not :authority");
  head.headers.remove("host");
  if (!is_authority(head.authority)) return fail(Code::invalid, "malformed :authority");
  if (head.method == "CONNECT" && head.protocol.empty()) {
    if (!parse_target(head.authority, head)) return fail(Code::invalid, "CONNECT wants host:port");
  } else {
    // nghttp2 lets only a path or "*" through; the bytes within are looked at here.
    RequestHead plain;
    plain.method = head.method == "CONNECT" ? "GET" : head.method;
    if (head.target.empty() || !parse_target(head.target, plain))
      return fail(Code::invalid, "malformed :path");
  }
  join_cookies(head.headers);
  return {};
}

}  // namespace weft::codec
