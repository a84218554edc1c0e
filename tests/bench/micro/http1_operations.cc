#include <cstddef>
#include <string>

#include "codec/http1.h"
#include "codec/http1_serializer.h"
#include "sidecar/inbound_gate.h"
#include "tests/bench/micro/operation.h"
#include "tests/bench/micro/samples.h"

namespace weft::bench {
namespace {

using codec::Http1Event;
using codec::Http1Parser;

// Whole messages, head to end, with the same parser again and again as on a connection that is kept alive.
struct Parse {
  Http1Parser parser;
  std::string_view text;
  std::size_t body_bytes;
  bool response;

  void operator()() {
    parser.begin(response ? "GET" : "");
    std::string_view input = text;
    std::size_t seen = 0;
    for (Http1Event event = parser.next(input); event.kind != Http1Event::Kind::end;
         event = parser.next(input)) {
      WEFT_CHECK(event.kind == Http1Event::Kind::head || event.kind == Http1Event::Kind::body);
      seen += event.body.size();
    }
    WEFT_CHECK(seen == body_bytes && input.empty());
  }
};

Parse parse_request(std::string_view text, std::size_t body_bytes = 0) {
  Parse parse{Http1Parser(Http1Parser::Role::request), text, body_bytes, false};
  // So that begin() is legal in front of the first message, too.
  std::string_view first = small_request;
  while (parse.parser.next(first).kind != Http1Event::Kind::end) {
  }
  return parse;
}

// 16 chunks of 1 KiB.
std::string chunked_post() {
  std::string text =
      "POST /upload HTTP/1.1\r\nHost: world.default.svc.cluster.local\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 16; ++i) {
    codec::append_chunk_line(text, 1024);
    text += std::string(1024, 'x');
    text += codec::chunk_end;
  }
  codec::append_last_chunk(text, {});
  return text;
}

// What both gates and the serialiser do to a head on its way through an inbound sidecar. The head is the same
// after it as before, so that it can be done again.
struct RewriteRequest {
  codec::RequestHead head;
  sidecar::Caller caller;
  policy::InboundPolicy policy;
  std::string out;

  explicit RewriteRequest(std::string_view text) : head(request_head(text)) {
    caller.identity = SpiffeId{"cluster.local", "default", "hello"};
    caller.certificate_sha256 = std::string(64, 'a');
    policy.identity = "spiffe://cluster.local/ns/default/sa/world";
  }
  void operator()() {
    codec::strip_hop_by_hop(head.headers, false);
    sidecar::announce_caller(policy, caller, head);
    out.clear();
    codec::append_request_head(out, head, {});
    WEFT_CHECK(head.headers.has("x-forwarded-client-cert"));
  }
};

struct RewriteResponse {
  codec::ResponseHead head = response_head(response);
  std::string out;

  void operator()() {
    codec::strip_hop_by_hop(head.headers, false);
    head.headers.remove_prefix("x-weft-");
    out.clear();
    codec::append_response_head(out, head, {});
    WEFT_CHECK(out.size() > 100);
  }
};

}  // namespace

void add_http1_operations(Operations& operations) {
  operations.push_back(
      {"http1/parse-request-small", [] { return Function<void()>(parse_request(small_request)); }});
  operations.push_back(
      {"http1/parse-request-browser", [] { return Function<void()>(parse_request(browser_request)); }});
  operations.push_back({"http1/parse-response", [] {
                          Parse parse{Http1Parser(Http1Parser::Role::response), response, 0, true};
                          std::string_view first = response;
                          while (parse.parser.next(first).kind != Http1Event::Kind::end) {
                          }
                          return Function<void()>(std::move(parse));
                        }});
  operations.push_back({"http1/parse-chunked-16k", [] {
                          static const std::string text = chunked_post();
                          return Function<void()>(parse_request(text, std::size_t{16} * 1024));
                        }});
  operations.push_back(
      {"http1/rewrite-request-small", [] { return Function<void()>(RewriteRequest(small_request)); }});
  operations.push_back(
      {"http1/rewrite-request-browser", [] { return Function<void()>(RewriteRequest(browser_request)); }});
  operations.push_back({"http1/rewrite-response", [] { return Function<void()>(RewriteResponse{}); }});
}

}  // namespace weft::bench
