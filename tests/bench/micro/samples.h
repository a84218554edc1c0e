// Messages as they come in real life, for the operations.
#pragma once

#include <string>
#include <string_view>

#include "base/check.h"
#include "codec/http1.h"
#include "codec/message.h"

namespace weft::bench {

inline constexpr std::string_view small_request =
    "GET /api/v1/items/42 HTTP/1.1\r\n"
    "Host: world.default.svc.cluster.local\r\n"
    "User-Agent: curl/7.88.1\r\n"
    "Accept: */*\r\n"
    "\r\n";

// A browser's request through a gateway: 20 fields besides Host.
inline constexpr std::string_view browser_request =
    "GET /shop/products/espresso-machines?page=2&sort=price&in-stock=true HTTP/1.1\r\n"
    "Host: shop.example.org\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "Sec-Ch-Ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n"
    "Sec-Ch-Ua-Mobile: ?0\r\n"
    "Sec-Ch-Ua-Platform: \"Linux\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-User: ?1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Referer: https://shop.example.org/shop/products\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n"
    "Cookie: sid=3f1c9a7de2b84c0a9d5e6f7081920304; theme=dark; consent=all; cart=7b2c11\r\n"
    "If-None-Match: W/\"5e8-192f3c4d5a0\"\r\n"
    "X-Request-Id: 7f8a9b0c-1d2e-4f30-8a1b-2c3d4e5f6071\r\n"
    "X-Forwarded-For: 198.18.7.9\r\n"
    "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
    "\r\n";

inline constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\n"
    "Date: Sun, 22 Nov 2026 11:00:00 GMT\r\n"
    "Server: http-echo\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 0\r\n"
    "Cache-Control: no-store\r\n"
    "X-Request-Id: 7f8a9b0c-1d2e-4f30-8a1b-2c3d4e5f6071\r\n"
    "\r\n";

inline codec::RequestHead request_head(std::string_view text) {
  codec::Http1Parser parser(codec::Http1Parser::Role::request);
  WEFT_CHECK(parser.next(text).kind == codec::Http1Event::Kind::head);
  return std::move(parser.request());
}

inline codec::ResponseHead response_head(std::string_view text) {
  codec::Http1Parser parser(codec::Http1Parser::Role::response);
  parser.begin("GET");
  WEFT_CHECK(parser.next(text).kind == codec::Http1Event::Kind::head);
  return std::move(parser.response());
}

}  // namespace weft::bench
