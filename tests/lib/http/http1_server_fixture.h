// A server of HTTP/1 behind a raw connection, for the suites of both loops.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tests/lib/http/http1_fixture.h"

namespace weft::http {

class Http1Server : public Http1RawSuite {
 protected:
  void start(std::string already_read = {}) {
    pair_ = raw([&](std::unique_ptr<io::Stream> stream) {
      server_.take(std::move(stream), std::move(already_read));
    });
  }
  // Both ends are through with the connection.
  bool over() {
    return run_until([&] { return pair_->near.ends == 1; }) && (pair_->near.stream.reset(), true) &&
           run_until([&] { return server_.closes == 1; });
  }
  // Answers every request with 200 and "METHOD target body".
  void echo() {
    server_.on = [this](std::string_view event) {
      if (event == "end" || (event == "begins" && server_.no_body)) {
        server_.reply(200, str_cat(server_.head.method, " ", server_.head.target, " ", server_.body));
        server_.body.clear();
      }
    };
  }

  ServerSide server_{loop()};
};

inline constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

inline std::string ok(std::string_view body, std::string_view more = "") {
  return str_cat("HTTP/1.1 200 OK\r\nContent-Length: ", body.size(), "\r\n", more, "\r\n", body);
}

}  // namespace weft::http
