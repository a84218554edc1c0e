// What weft makes of HTTP/1 messages, for test_http1_differential.py to compare with another parser.
//
// Standard input, repeated: a line "request|response METHOD BYTES" (METHOD: of the request that a response
// answers), then so many bytes, after which the peer closes. Standard output, for each: lines of words, text
// in hexadecimal, the last one "ok TAKEN KEEP_ALIVE" or "refused STATUS".
#include <iostream>
#include <string>
#include <string_view>

#include "base/text.h"
#include "codec/http1.h"

namespace weft {
namespace {

std::string hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "=";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.append({digits[byte >> 4], digits[byte & 15]});
  }
  return out;
}

void print_fields(std::string_view kind, const codec::Headers& headers) {
  for (const codec::Header& field : headers.fields())
    std::cout << kind << ' ' << hex(field.name) << ' ' << hex(field.value) << '\n';
}

class Verdict {
 public:
  Verdict(codec::Http1Parser::Role role, const std::string& method) : role_(role), parser_(role) {
    parser_.begin(method);
  }

  void give(std::string_view bytes) {
    const std::size_t all = bytes.size();
    using Kind = codec::Http1Event::Kind;
    codec::Http1Event event = parser_.next(bytes);
    for (; event.kind == Kind::head || event.kind == Kind::body; event = parser_.next(bytes)) {
      body_ += event.body;
      if (event.kind == Kind::head && head_ends_it()) break;
    }
    if (event.kind == Kind::need_more) event = parser_.finish();
    const bool complete = event.kind == Kind::end || event.kind == Kind::head;
    if (!complete) {
      std::cout << "refused " << parser_.error().status << '\n';
      return;
    }
    std::cout << "body " << hex(body_) << '\n';
    print_fields("trailer", parser_.trailers());
    std::cout << "ok " << all - bytes.size() << ' ' << parser_.framing().keep_alive << '\n';
  }

 private:
  // What follows is no HTTP any more.
  bool head_ends_it() {
    if (role_ == codec::Http1Parser::Role::request) {
      const codec::RequestHead& head = parser_.request();
      std::cout << "request " << head.method << ' ' << hex(head.target) << ' ' << hex(head.authority) << '\n';
      print_fields("field", head.headers);
    } else if (parser_.response().status >= 200) {
      std::cout << "response " << parser_.response().status << ' ' << hex(parser_.response().reason) << '\n';
      print_fields("field", parser_.response().headers);
    }
    return parser_.framing().upgrade || parser_.framing().connect;
  }

  codec::Http1Parser::Role role_;
  codec::Http1Parser parser_;
  std::string body_;
};

}  // namespace
}  // namespace weft

int main() {
  using Role = weft::codec::Http1Parser::Role;
  std::string role, method;
  std::size_t size = 0;
  while (std::cin >> role >> method >> size) {
    std::cin.get();
    std::string bytes(size, '\0');
    std::cin.read(bytes.data(), static_cast<std::streamsize>(size));
    weft::Verdict(role == "request" ? Role::request : Role::response, method).give(bytes);
  }
  return 0;
}
