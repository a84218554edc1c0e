#include "codec/http1_serializer.h"

#include <charconv>

#include "base/check.h"
#include "base/text.h"
#include "codec/http1_scan.h"

namespace weft::codec {
namespace {

// CR, LF and NUL would end a line early: each becomes a space (RFC 9110 § 5.5).
void append_value(std::string& out, std::string_view value) {
  const std::size_t from = out.size();
  out.append(value);
  for (std::size_t i = from; i < out.size(); ++i) {
    if (out[i] == '\r' || out[i] == '\n' || out[i] == '\0') out[i] = ' ';
  }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  WEFT_CHECK(is_token(name));
  out.append(name).append(": ");
  append_value(out, value);
  out.append("\r\n");
}

// What would end the target early is percent-encoded.
void append_target(std::string& out, std::string_view target) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f) {
      out.push_back(c);
    } else {
      out.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
  }
}

// Whether the field is the connection's own affair, or frames the message.
bool is_left_out(std::string_view name, const Http1Write& options) {
  switch (name.size()) {
    case 4:
      return equals_ignore_case(name, "host");
    case 7:
      return !options.keep_upgrade && equals_ignore_case(name, "upgrade");
    case 10:
      return equals_ignore_case(name, "connection") || equals_ignore_case(name, "keep-alive");
    case 14:
      return options.length != Http1Write::Length::as_it_is && equals_ignore_case(name, "content-length");
    case 16:
      return equals_ignore_case(name, "proxy-connection");
    case 17:
      return equals_ignore_case(name, "transfer-encoding");
    default:
      return false;
  }
}

void append_fields(std::string& out, const Headers& headers, const Http1Write& options) {
  for (const Header& field : headers.fields()) {
    if (!is_left_out(field.name, options)) append_field(out, field.name, field.value);
  }
  if (options.length == Http1Write::Length::zero) out.append("Content-Length: 0\r\n");
  if (options.chunked) out.append("Transfer-Encoding: chunked\r\n");
  if (!options.connection.empty()) append_field(out, "Connection", options.connection);
  out.append("\r\n");
}

}  // namespace

void append_request_head(std::string& out, const RequestHead& head, const Http1Write& options) {
  WEFT_CHECK(is_token(head.method));
  out.append(head.method).push_back(' ');
  append_target(out, head.target);
  out.append(" HTTP/1.1\r\n");
  append_field(out, "Host", head.authority);
  append_fields(out, head.headers, options);
}

void append_response_head(std::string& out, const ResponseHead& head, const Http1Write& options) {
  WEFT_CHECK(head.status >= 100 && head.status <= 999);
  out.append("HTTP/1.1 ").append(std::to_string(head.status)).push_back(' ');
  append_value(out, head.reason.empty() ? reason_phrase(head.status) : std::string_view(head.reason));
  out.append("\r\n");
  append_fields(out, head.headers, options);
}

void append_chunk_line(std::string& out, std::size_t bytes) {
  WEFT_CHECK(bytes > 0);
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, bytes, 16);
  out.append(digits, end).append("\r\n");
}

void append_last_chunk(std::string& out, const Headers& trailers) {
  out.append("0\r\n");
  append_fields(out, trailers, {.length = Http1Write::Length::drop});
}

std::string_view reason_phrase(int status) {
  switch (status) {  // RFC 9110 § 15
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

}  // namespace weft::codec
