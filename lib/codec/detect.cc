#include "codec/detect.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/text.h"

namespace weft::codec {
namespace {

constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::size_t method_bytes_max = 32;

enum class Fit { yes, no, so_far };

Fit begins_with(std::string_view text, std::string_view prefix, bool ignore_case = false) {
  const std::size_t common = std::min(text.size(), prefix.size());
  const std::string_view a = text.substr(0, common);
  const std::string_view b = prefix.substr(0, common);
  if (ignore_case ? !equals_ignore_case(a, b) : a != b) return Fit::no;
  return common == prefix.size() ? Fit::yes : Fit::so_far;
}

// Methods in use are upper case; that leaves out most line protocols ("get key", "helo name").
bool is_method_char(char c) { return (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; }

Fit target_fit(std::string_view method, std::string_view target) {
  if (target.empty()) return Fit::so_far;
  if (method == "CONNECT") {
    const char c = target[0];
    const bool host =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '[' || c == '_';
    return host ? Fit::yes : Fit::no;
  }
  if (target[0] == '/' || target[0] == '*') return Fit::yes;
  const Fit http = begins_with(target, "http://", true);
  const Fit https = begins_with(target, "https://", true);
  if (http == Fit::yes || https == Fit::yes) return Fit::yes;
  return http == Fit::so_far || https == Fit::so_far ? Fit::so_far : Fit::no;
}

// A request line is only believed as a whole: "GET /x" alone is also Redis or Gopher.
Fit http1_fit(std::string_view bytes) {
  if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);  // RFC 9112 § 2.2
  if (bytes.empty() || bytes == "\r") return Fit::so_far;
  const std::size_t space = bytes.find(' ');
  const std::string_view method = bytes.substr(0, space);
  if (method.empty() || method.size() > method_bytes_max) return Fit::no;
  if (!std::all_of(method.begin(), method.end(), is_method_char)) return Fit::no;
  if (space == std::string_view::npos) return Fit::so_far;
  const std::string_view rest = bytes.substr(space + 1);
  const Fit target = target_fit(method, rest);
  if (target != Fit::yes) return target;
  const std::size_t line_end = rest.find('\n');
  const std::string_view line = rest.substr(0, line_end);
  const bool printable = std::all_of(line.begin(), line.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\r' || c == '\t';
  });
  if (!printable) return Fit::no;
  const std::size_t version = line.rfind(' ');
  const bool names_http = version != std::string_view::npos && line.substr(version + 1).starts_with("HTTP/");
  if (line_end != std::string_view::npos) return names_http ? Fit::yes : Fit::no;
  return Fit::so_far;
}

}  // namespace

Detection detect(std::string_view first_bytes) {
  // What comes behind decides nothing, or the answer would depend on how much one read brought.
  first_bytes = first_bytes.substr(0, limits::detect_bytes_max);
  if (first_bytes.empty()) return {};
  if (first_bytes[0] == 0x16 && (first_bytes.size() == 1 || first_bytes[1] == 3)) {
    if (first_bytes.size() == 1) return {};
    ClientHelloResult result = parse_client_hello(first_bytes);
    switch (result.kind) {
      case ClientHelloResult::Kind::need_more:
        return {};
      case ClientHelloResult::Kind::complete:
        return {Detection::Kind::tls, std::move(result.hello), {}};
      case ClientHelloResult::Kind::malformed:
        return {Detection::Kind::malformed_tls, {}, std::move(result.error)};
    }
  }
  const Fit http2 = begins_with(first_bytes, http2_preface);
  if (http2 == Fit::yes) return {Detection::Kind::http2, {}, {}};
  if (http2 == Fit::so_far) return {};
  switch (http1_fit(first_bytes)) {
    case Fit::yes:
      return {Detection::Kind::http1, {}, {}};
    case Fit::so_far:
      // Only a request line with a good beginning grows so long: its parser says what is wrong with it.
      if (first_bytes.size() == limits::detect_bytes_max) return {Detection::Kind::http1, {}, {}};
      return {};
    case Fit::no:
      break;
  }
  return {Detection::Kind::opaque, {}, {}};
}

}  // namespace weft::codec
