// What an Http1Parser says about some bytes, as text, however they are cut: unit tests and fuzz targets
// compare it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "codec/http1.h"

namespace weft::codec {

inline std::string describe(const Headers& headers) {
  std::string out;
  for (const Header& field : headers.fields()) out += str_cat("  ", field.name, ": ", field.value, "\n");
  return out;
}

class Http1Transcript {
 public:
  // `method`: of the requests that responses answer.
  explicit Http1Transcript(Http1Parser::Role role, std::string_view method = "GET")
      : role_(role), method_(method), parser_(role) {
    parser_.begin(method_);
  }

  void feed(std::string_view bytes) {
    while (!stopped_) {
      const Http1Event event = parser_.next(bytes);
      switch (event.kind) {
        case Http1Event::Kind::need_more:
          return;
        case Http1Event::Kind::head:
          head();
          break;
        case Http1Event::Kind::body:
          body_ += event.body;
          break;
        case Http1Event::Kind::end:
          end();
          parser_.begin(method_);
          break;
        case Http1Event::Kind::error:
          error();
          break;
      }
    }
  }
  void finish() {
    if (stopped_) return;
    const Http1Event event = parser_.finish();
    if (event.kind == Http1Event::Kind::end) end();
    if (event.kind == Http1Event::Kind::error) error();
  }
  const std::string& text() const { return text_; }
  int error_status() const { return error_status_; }
  const std::string& error_message() const { return error_message_; }
  int messages() const { return messages_; }

 private:
  void head() {
    const Http1Framing& framing = parser_.framing();
    if (role_ == Http1Parser::Role::request) {
      const RequestHead& head = parser_.request();
      text_ += str_cat("request ", head.method, " ", head.target, " authority=", head.authority,
                       " scheme=", head.scheme, head.version == Version::http10 ? " 1.0\n" : " 1.1\n",
                       describe(head.headers));
    } else {
      const ResponseHead& head = parser_.response();
      text_ += str_cat("response ", head.status, " ", head.reason, "\n", describe(head.headers));
    }
    text_ += str_cat(" framing=", static_cast<int>(framing.body), " length=", framing.length,
                     framing.keep_alive ? " keep-alive" : "", framing.upgrade ? " upgrade" : "",
                     framing.connect ? " connect" : "", framing.expects_continue ? " expect" : "", "\n");
    stopped_ = framing.upgrade || framing.connect;
  }
  void end() {
    if (!body_.empty()) text_ += str_cat(" body ", body_.size(), " ", body_, "\n");
    body_.clear();
    text_ += str_cat(" end\n", describe(parser_.trailers()));
    ++messages_;
  }
  void error() {
    if (!body_.empty()) text_ += str_cat(" body ", body_.size(), " ", body_, "\n");
    error_status_ = parser_.error().status;
    error_message_ = parser_.error().message;
    text_ += str_cat(" error ", error_status_, "\n");
    stopped_ = true;
  }

  Http1Parser::Role role_;
  std::string method_;
  Http1Parser parser_;
  std::string body_;
  std::string text_;
  int error_status_ = 0;
  std::string error_message_;
  int messages_ = 0;
  bool stopped_ = false;
};

// Calls `check` with `bytes` cut in the ways that find bugs: whole, byte by byte, with empty pieces between,
// and `random` times at places taken from `below(n)` (uniform in [0, n)).
inline void for_each_cutting(std::string_view bytes, int random,
                             const std::function<std::size_t(std::size_t)>& below,
                             const std::function<void(const std::vector<std::string_view>&)>& check) {
  check({bytes});
  std::vector<std::string_view> single;
  std::vector<std::string_view> with_empty{{}};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    single.push_back(bytes.substr(i, 1));
    with_empty.push_back(bytes.substr(i, 1));
    with_empty.emplace_back();
  }
  check(single);
  check(with_empty);
  for (int round = 0; round < random; ++round) {
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t length = 1 + below(round % 2 == 0 ? 7 : bytes.size());
      pieces.push_back(bytes.substr(at, length));
      at += length;
    }
    check(pieces);
  }
}

}  // namespace weft::codec
