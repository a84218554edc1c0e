#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/random.h"
#include "tests/lib/codec/http1_transcript.h"

namespace weft::codec {
namespace {

using Role = Http1Parser::Role;

// What the parser says of `bytes`, having made sure that it says the same however they are cut.
Http1Transcript parse(Role role, std::string_view bytes, std::string_view method = "GET",
                      bool closes = true) {
  Http1Transcript whole(role, method);
  whole.feed(bytes);
  if (closes) whole.finish();
  SeededRandom random(7);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random.below(bound)); };
  for_each_cutting(bytes, 8, below, [&](const std::vector<std::string_view>& pieces) {
    Http1Transcript cut(role, method);
    for (const std::string_view piece : pieces) cut.feed(piece);
    if (closes) cut.finish();
    EXPECT_EQ(cut.text(), whole.text());
  });
  return whole;
}

std::string request_text(std::string_view bytes) { return parse(Role::request, bytes).text(); }
std::string response_text(std::string_view bytes, std::string_view method = "GET") {
  return parse(Role::response, bytes, method).text();
}

TEST(Http1Request, KeepsOrderAndCaseOfFieldsAndTakesHostOut) {
  EXPECT_EQ(request_text("GET /a?b=c HTTP/1.1\r\nX-B: 2\r\nhOST: hello:80\r\nx-a:  1 \t\r\nX-B: "
                         "3\r\nEmpty:\r\nMore: \r\n\r\n"),
            "request GET /a?b=c authority=hello:80 scheme= 1.1\n"
            "  X-B: 2\n  x-a: 1\n  X-B: 3\n  Empty: \n  More: \n"
            " framing=0 length=0 keep-alive\n end\n");
}

TEST(Http1Request, ReadsOnePipelinedMessageAfterTheOther) {
  const Http1Transcript transcript = parse(Role::request,
                                           "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                                           "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                                           "Chunked\r\n\r\n2;x=\"y\"\r\nde\r\n1\r\nf\r\n0\r\nT: u\r\n\r\n"
                                           "GET /3 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(transcript.messages(), 3);
  EXPECT_EQ(
      transcript.text(),
      "request POST /1 authority=h scheme= 1.1\n  Content-Length: 3\n framing=1 length=3 keep-alive\n body 3 "
      "abc\n end\n"
      "request POST /2 authority=h scheme= 1.1\n framing=2 length=0 keep-alive\n body 3 def\n end\n  T: u\n"
      "request GET /3 authority= scheme= 1.0\n framing=0 length=0\n end\n");
}

TEST(Http1Request, TakesAnyTokenAsMethod) {
  EXPECT_NE(request_text("QUERY /q HTTP/1.1\r\nHost: h\r\n\r\n").find("request QUERY /q"), std::string::npos);
  EXPECT_NE(request_text("m-SEARCH!~ /q HTTP/1.1\r\nHost: h\r\n\r\n").find("request m-SEARCH!~ /q"),
            std::string::npos);
}

TEST(Http1Request, SplitsTheFourFormsOfATarget) {
  struct {
    std::string_view line, expected;
  } const rows[] = {
      {"GET /x HTTP/1.1", "request GET /x authority=h scheme= "},
      {"GET http://user.example HTTP/1.1", "request GET / authority=user.example scheme=http "},
      {"GET HTTPS://e:8443/p?q HTTP/1.1", "request GET /p?q authority=e:8443 scheme=https "},
      {"GET http://e?q HTTP/1.1", "request GET /?q authority=e scheme=http "},
      {"OPTIONS http://e HTTP/1.1", "request OPTIONS * authority=e scheme=http "},
      {"OPTIONS * HTTP/1.1", "request OPTIONS * authority=h scheme= "},
      {"CONNECT e:443 HTTP/1.1", "request CONNECT e:443 authority=e:443 scheme= "},
      {"CONNECT [2001:2::1]:443 HTTP/1.1",
       "request CONNECT [2001:2::1]:443 authority=[2001:2::1]:443 scheme= "},
      {"GET /a|b{c}\"<>\\^` HTTP/1.1", "request GET /a|b{c}\"<>\\^` authority=h scheme= "},
  };
  for (const auto& row : rows) {
    const std::string text = request_text(std::string(row.line) + "\r\nHost: h\r\n\r\n");
    EXPECT_EQ(text.substr(0, row.expected.size()), row.expected);
  }
}

TEST(Http1Request, SaysWhatTheSenderWantsOfTheConnection) {
  struct {
    std::string_view head, expected;
  } const rows[] = {
      {"GET / HTTP/1.1\r\nHost: h\r\n", " framing=0 length=0 keep-alive\n"},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n", " framing=0 length=0\n"},
      {"GET / HTTP/1.0\r\n", " framing=0 length=0\n"},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", " framing=0 length=0 keep-alive\n"},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n",
       " framing=0 length=0 keep-alive upgrade\n"},
      // Ignored, as RFC 9110 § 7.8 allows: without Connection, with a body, h2c, in HTTP/1.0.
      {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n", " framing=0 length=0 keep-alive\n"},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
       " framing=0 length=0 keep-alive\n"},
      {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", " framing=0 length=0\n"},
      {"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nExpect: 100-continue\r\n",
       " framing=1 length=0 keep-alive\n"},
  };
  for (const auto& row : rows) {
    EXPECT_NE(request_text(std::string(row.head) + "\r\n").find(row.expected), std::string::npos) << row.head;
  }
  EXPECT_NE(request_text("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\na")
                .find(" framing=1 length=1 keep-alive expect\n"),
            std::string::npos);
}

TEST(Http1Request, StopsBehindAConnectHead) {
  EXPECT_EQ(request_text("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
            "request CONNECT h:1 authority=h:1 scheme= 1.1\n framing=0 length=0 keep-alive connect\n");
}

TEST(Http1Request, SkipsOneEmptyLineInFront) {
  EXPECT_EQ(parse(Role::request, "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").messages(), 1);
  EXPECT_EQ(parse(Role::request, "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").error_status(), 400);
}

TEST(Http1Request, AnEndBetweenMessagesIsCleanAndWithinOneIsNot) {
  EXPECT_EQ(parse(Role::request, "").text(), "");
  EXPECT_EQ(parse(Role::request, "GET / HT").error_status(), 400);
  EXPECT_EQ(parse(Role::request, "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na").error_status(),
            400);
  EXPECT_EQ(
      parse(Role::request, "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
          .error_status(),
      400);
}

std::string fields(std::size_t count, std::size_t value_bytes) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += str_cat("f", i, ": ", std::string(value_bytes, 'v'), "\r\n");
  return out;
}

TEST(Http1Request, BoundsHeadsAndTrailers) {
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(parse(Role::request, str_cat(start, fields(99, 1), "\r\n")).messages(), 1);
  EXPECT_EQ(parse(Role::request, str_cat(start, fields(100, 1), "\r\n")).error_status(), 431);
  const std::size_t room =
      limits::request_head_bytes_max - start.size() - std::string_view("f: \r\n\r\n").size();
  EXPECT_EQ(parse(Role::request, str_cat(start, "f: ", std::string(room, 'v'), "\r\n\r\n")).messages(), 1);
  EXPECT_EQ(
      parse(Role::request, str_cat(start, "f: ", std::string(room + 1, 'v'), "\r\n\r\n")).error_status(),
      431);
  EXPECT_EQ(
      parse(Role::request, str_cat("GET /", std::string(limits::request_head_bytes_max, 'a'))).error_status(),
      414);
  const std::string chunked = "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(parse(Role::request, str_cat(chunked, "0\r\n", fields(101, 1), "\r\n")).error_status(), 431);
  EXPECT_EQ(
      parse(Role::request, str_cat(chunked, "0\r\nf: ", std::string(limits::request_head_bytes_max, 'v')))
          .error_status(),
      431);
}

TEST(Http1Request, BoundsChunkLinesAndExtensions) {
  const std::string head = "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(parse(Role::request,
                  str_cat(head, "1;", std::string(limits::chunk_line_bytes_max, 'e'), "\r\na\r\n0\r\n\r\n"))
                .error_status(),
            400);
  std::string many = head;
  for (int i = 0; i < 6; ++i) many += str_cat("1;", std::string(3000, 'e'), "\r\na\r\n");
  EXPECT_EQ(parse(Role::request, many + "0\r\n\r\n").error_status(), 400);
}

TEST(Http1Response, DelimitsTheBodyByStatusMethodAndFields) {
  struct {
    std::string_view method, bytes, expected;
  } const rows[] = {
      {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
       "response 200 OK\n  Content-Length: 2\n framing=1 length=2 keep-alive\n body 2 ok\n end\n"},
      {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
       "response 200 OK\n  Content-Length: 2\n framing=0 length=0 keep-alive\n end\n"},
      {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
       "response 200 OK\n framing=0 length=0 keep-alive\n end\n"},
      {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
       "response 304 Not Modified\n  Content-Length: 2\n framing=0 length=0 keep-alive\n end\n"},
      {"GET", "HTTP/1.1 204 \r\n\r\n", "response 204 \n framing=0 length=0 keep-alive\n end\n"},
      {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
       "response 204 No Content\n  Content-Length: 2\n framing=0 length=0\n end\n"},
      {"GET", "HTTP/1.1 200 OK\r\n\r\nto the end",
       "response 200 OK\n framing=3 length=0\n body 10 to the end\n end\n"},
      {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
       "response 200 OK\n  Connection: keep-alive\n  Content-Length: 1\n framing=1 length=1 keep-alive\n "
       "body 1 a\n end\n"},
      {"CONNECT", "HTTP/1.1 200 OK\r\n\r\nraw", "response 200 OK\n framing=0 length=0 keep-alive connect\n"},
      {"CONNECT", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
       "response 403 No\n  Content-Length: 0\n framing=1 length=0 keep-alive\n end\n"},
      {"GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nraw",
       "response 101 Switching Protocols\n  Upgrade: x\n framing=0 length=0 keep-alive upgrade\n"},
      {"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
       "response 100 Continue\n framing=0 length=0 keep-alive\nresponse 200 OK\n  Content-Length: 0\n "
       "framing=1 length=0 keep-alive\n end\n"},
      {"GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
       "response 200 \n  Content-Length: 0\n framing=1 length=0 keep-alive\n end\n"},
  };
  for (const auto& row : rows) EXPECT_EQ(response_text(row.bytes, row.method), row.expected) << row.bytes;
}

TEST(Http1Response, RefusesWhatIsNoResponseWith502) {
  for (const std::string_view bytes :
       {"HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 99 x\r\n\r\n", "HTTP/1.1 2000 x\r\n\r\n",
        "HTTP/1.1 20x OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"}) {
    EXPECT_EQ(parse(Role::response, bytes).error_status(), 502) << bytes;
  }
}

TEST(Http1Parser, TakesNothingBehindTheEndOfAMessage) {
  Http1Parser parser(Role::request);
  std::string_view input = "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\n";
  EXPECT_EQ(parser.next(input).kind, Http1Event::Kind::head);
  EXPECT_EQ(parser.next(input).kind, Http1Event::Kind::end);
  EXPECT_EQ(parser.next(input).kind, Http1Event::Kind::need_more);
  EXPECT_EQ(input, "GET /next HTTP/1.1\r\n");
  EXPECT_TRUE(parser.started());
  parser.begin();
  EXPECT_FALSE(parser.started());
}

TEST(Http1Parser, HopByHopFieldsGoAndFramingStaysWhateverConnectionNames) {
  Headers headers;
  headers.add("Connection", "close, X-Secret, Content-Length, TE");
  headers.add("X-Secret", "1");
  headers.add("Content-Length", "5");
  headers.add("Keep-Alive", "timeout=5");
  headers.add("Proxy-Connection", "keep-alive");
  headers.add("TE", "gzip, trailers");
  headers.add("Upgrade", "websocket");
  headers.add("X-Kept", "2");
  Headers upgrading = headers;
  strip_hop_by_hop(headers, false);
  EXPECT_EQ(describe(headers), "  Content-Length: 5\n  TE: trailers\n  X-Kept: 2\n");
  strip_hop_by_hop(upgrading, true);
  EXPECT_EQ(describe(upgrading), "  Content-Length: 5\n  TE: trailers\n  Upgrade: websocket\n  X-Kept: 2\n");
}

}  // namespace
}  // namespace weft::codec
