#include <string>

#include <llhttp/llhttp.h>

#include "base/text.h"
#include "codec/http1_tokens.h"

namespace weft::codec {
namespace {

struct Collector {
  Headers* headers = nullptr;
  HeadTokens tokens;
  bool name_open = false;
  bool complete = false;
};

Collector& collector(llhttp_t* parser) { return *static_cast<Collector*>(parser->data); }

int field_name(llhttp_t* parser, const char* at, std::size_t bytes) {
  Collector& to = collector(parser);
  if (!to.name_open) to.headers->add({}, {});
  to.name_open = true;
  to.headers->fields().back().name.append(at, bytes);
  return HPE_OK;
}

int field_name_complete(llhttp_t* parser) {
  collector(parser).name_open = false;
  return HPE_OK;
}

int field_value(llhttp_t* parser, const char* at, std::size_t bytes) {
  collector(parser).headers->fields().back().value.append(at, bytes);
  return HPE_OK;
}

// Stops here: bodies are not llhttp's.
int headers_complete(llhttp_t* parser) {
  Collector& to = collector(parser);
  to.complete = true;
  to.tokens.status = parser->status_code;
  to.tokens.chunked = (parser->flags & F_CHUNKED) != 0;
  to.tokens.has_length = (parser->flags & F_CONTENT_LENGTH) != 0;
  to.tokens.length = parser->content_length;
  return HPE_PAUSED;
}

const llhttp_settings_t& settings() {
  static const llhttp_settings_t value = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_header_field = field_name;
    made.on_header_field_complete = field_name_complete;
    made.on_header_value = field_value;
    made.on_headers_complete = headers_complete;
    return made;
  }();
  return value;
}

const char* explain(llhttp_errno_t error) {
  switch (error) {
    case HPE_INVALID_CONTENT_LENGTH:
      return "Content-Length is not a number";
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      return "the length of the body is said twice";
    case HPE_INVALID_TRANSFER_ENCODING:
      return "Transfer-Encoding is invalid";
    case HPE_INVALID_HEADER_TOKEN:
      return "a field has an invalid character";
    case HPE_INVALID_URL:
      return "the request target is invalid";
    case HPE_INVALID_STATUS:
      return "the status is invalid";
    default:
      return "the head is not HTTP/1";
  }
}

HeadTokens tokenize(llhttp_type_t type, std::string_view start, std::string_view rest, Headers& headers) {
  Collector collected;
  collected.headers = &headers;
  llhttp_t parser;
  llhttp_init(&parser, type, &settings());
  parser.data = &collected;
  llhttp_errno_t error = HPE_OK;
  if (!start.empty()) error = llhttp_execute(&parser, start.data(), start.size());
  if (error == HPE_OK) error = llhttp_execute(&parser, rest.data(), rest.size());
  if (error != HPE_PAUSED || !collected.complete) {
    collected.tokens.problem = explain(error);
  }
  for (Header& field : headers.fields()) {  // llhttp leaves the white space at the end
    const std::string_view value = trim(field.value);
    if (value.size() != field.value.size()) field.value = std::string(value);
  }
  return collected.tokens;
}

}  // namespace

HeadTokens tokenize_request(std::string_view head, std::string_view method, Headers& headers) {
  return tokenize(HTTP_REQUEST, method == "CONNECT" ? method : "POST", head.substr(method.size()), headers);
}

HeadTokens tokenize_response(std::string_view head, Headers& headers) {
  return tokenize(HTTP_RESPONSE, {}, head, headers);
}

HeadTokens tokenize_trailers(std::string_view lines, Headers& headers) {
  return tokenize(HTTP_RESPONSE, "HTTP/1.1 200 OK\r\n", lines, headers);
}

}  // namespace weft::codec
