#include "codec/http1_serializer.h"

#include <gtest/gtest.h>

#include "tests/lib/codec/http1_transcript.h"

namespace weft::codec {
namespace {

RequestHead request() {
  RequestHead head;
  head.method = "POST";
  head.target = "/a?b";
  head.authority = "hello:80";
  head.headers.add("x-Mixed-CASE", "1");
  head.headers.add("b", "2");
  head.headers.add("b", "");
  return head;
}

TEST(Http1Serializer, WritesRequestsWithHostFirstAndFieldsAsTheyAre) {
  std::string out;
  append_request_head(out, request(), {.chunked = true, .connection = "close"});
  EXPECT_EQ(out,
            "POST /a?b HTTP/1.1\r\nHost: hello:80\r\nx-Mixed-CASE: 1\r\nb: 2\r\nb: \r\n"
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
}

TEST(Http1Serializer, WritesResponsesWithARegisteredReason) {
  ResponseHead head;
  head.status = 503;
  std::string out;
  append_response_head(out, head, {});
  EXPECT_EQ(out, "HTTP/1.1 503 Service Unavailable\r\n\r\n");
  head.status = 299;
  head.reason = "Quite Fine";
  out.clear();
  append_response_head(out, head, {.connection = "keep-alive"});
  EXPECT_EQ(out, "HTTP/1.1 299 Quite Fine\r\nConnection: keep-alive\r\n\r\n");
}

TEST(Http1Serializer, LeavesOutWhatConcernsTheConnection) {
  ResponseHead head;
  head.status = 200;
  for (const char* name : {"Host", "CONNECTION", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding",
                           "Upgrade", "Content-Length", "Kept"}) {
    head.headers.add(name, "1");
  }
  std::string out;
  append_response_head(out, head, {.length = Http1Write::Length::zero});
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nKept: 1\r\nContent-Length: 0\r\n\r\n");
  out.clear();
  append_response_head(out, head, {.connection = "upgrade", .keep_upgrade = true});
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nUpgrade: 1\r\nContent-Length: 1\r\nKept: 1\r\nConnection: upgrade\r\n\r\n");
  out.clear();
  append_last_chunk(out, head.headers);
  EXPECT_EQ(out, "0\r\nKept: 1\r\n\r\n");
}

TEST(Http1Serializer, LetsNoValueEndALine) {
  RequestHead head = request();
  head.target = "/a b\r\nX: y\x7f\xc3";
  head.headers = Headers();
  head.headers.add("error", std::string("a\r\nContent-Length: 5\0b", 22));
  std::string out;
  append_request_head(out, head, {});
  EXPECT_EQ(out,
            "POST /a%20b%0D%0AX:%20y%7F%C3 HTTP/1.1\r\nHost: hello:80\r\n"
            "error: a  Content-Length: 5 b\r\n\r\n");
}

TEST(Http1Serializer, WritesChunksAndTrailersThatTheParserReadsBack) {
  std::string out;
  append_request_head(out, request(), {.chunked = true});
  append_chunk_line(out, 26);
  out.append("abcdefghijklmnopqrstuvwxyz").append(chunk_end);
  Headers trailers;
  trailers.add("grpc-status", "0");
  append_last_chunk(out, trailers);
  EXPECT_TRUE(out.ends_with("\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\ngrpc-status: 0\r\n\r\n"));
  Http1Transcript transcript(Http1Parser::Role::request);
  transcript.feed(out);
  EXPECT_EQ(transcript.text(),
            "request POST /a?b authority=hello:80 scheme= 1.1\n  x-Mixed-CASE: 1\n  b: 2\n  b: \n"
            " framing=2 length=0 keep-alive\n body 26 abcdefghijklmnopqrstuvwxyz\n end\n  grpc-status: 0\n");
}

}  // namespace
}  // namespace weft::codec
