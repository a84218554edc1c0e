// Requests that two recipients could read in two ways: each is refused, with this status, however it is cut.
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/lib/codec/http1_transcript.h"

namespace weft::codec {
namespace {

using namespace std::string_view_literals;

struct Vector {
  std::string_view rule;
  int status;
  std::string_view bytes;
};

constexpr std::string_view post = "POST / HTTP/1.1\r\nHost: h\r\n";

const Vector vectors[] = {
    // The length is said twice, or not clearly (RFC 9112 § 6.3).
    {"length and coding", 400, "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"coding and length", 400, "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"},
    {"two different lengths", 400, "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"},
    {"two equal lengths", 400, "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"},
    {"a list of lengths", 400, "Content-Length: 4, 4\r\n\r\nabcd"},
    {"signed length", 400, "Content-Length: +4\r\n\r\nabcd"},
    {"negative length", 400, "Content-Length: -1\r\n\r\n"},
    {"hexadecimal length", 400, "Content-Length: 0x4\r\n\r\nabcd"},
    {"length with a space", 400, "Content-Length: 1 0\r\n\r\nabcdefghij"},
    {"length with a fraction", 400, "Content-Length: 4.0\r\n\r\nabcd"},
    {"empty length", 400, "Content-Length:\r\n\r\n"},
    {"length that overflows 64 bits", 400, "Content-Length: 18446744073709551617\r\n\r\na"},
    {"length that overflows 63 bits", 400, "Content-Length: 9223372036854775808\r\n\r\na"},
    {"length in quotes", 400, "Content-Length: \"4\"\r\n\r\nabcd"},
    // The coding is not exactly chunked.
    {"coding identity", 400, "Transfer-Encoding: identity\r\n\r\n"},
    {"coding chunked twice", 400, "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
    {"two coding lines", 400, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"two coding lines, one harmless", 400,
     "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n\r\n0\r\n\r\n"},
    {"chunked is not last", 400, "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
    {"a coding before chunked", 501, "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    {"a coding that ends like chunked", 400, "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
    {"a coding that begins like chunked", 400, "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"},
    {"chunked with a parameter", 400, "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"},
    {"chunked in quotes", 400, "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
    {"chunked with a comma before", 400, "Transfer-Encoding: ,chunked,\r\n\r\n0\r\n\r\n"},
    {"chunked behind a vertical tab", 400, "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"},
    {"chunked behind a no-break space", 400,
     "Transfer-Encoding: \xa0"
     "chunked\r\n\r\n0\r\n\r\n"},
    {"empty coding", 400, "Transfer-Encoding:\r\n\r\n"},
    // The name of a field is hidden (§ 5.1).
    {"space before a colon", 400, "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
    {"tab before a colon", 400, "Content-Length\t: 4\r\n\r\nabcd"},
    {"space before a name", 400, "A: b\r\n Content-Length: 4\r\n\r\nabcd"},
    {"folded line", 400, "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
    {"folded line with a tab", 400, "A: b\r\n\tc\r\n\r\n"},
    {"no name", 400, ": b\r\n\r\n"},
    {"no colon", 400, "Content-Length 4\r\n\r\nabcd"},
    {"parenthesis in a name", 400, "Transfer(Encoding: chunked\r\n\r\n"},
    {"non-ASCII in a name", 400, "Content-L\xc3\xa9ngth: 4\r\n\r\nabcd"},
    {"NUL in a name", 400, "Content\0-Length: 4\r\n\r\nabcd"sv},
    // The end of a line is hidden (§ 2.2).
    {"NUL in a value", 400, "A: b\0Content-Length: 4\r\n\r\nabcd"sv},
    {"bare LF behind a field", 400, "A: b\nContent-Length: 4\r\n\r\nabcd"},
    {"bare LF before the body", 400, "Content-Length: 4\r\n\nabcd"},
    {"bare CR in a value", 400, "A: b\rContent-Length: 4\r\n\r\nabcd"},
    {"bare CR behind a name", 400, "A:\rTransfer-Encoding: chunked\r\n\r\n"},
    {"CR CR LF", 400, "A: b\r\r\nContent-Length: 4\r\n\r\nabcd"},
    {"bare CR before the body", 400, "Content-Length: 4\r\n\rabcd"},
    {"escape in a value", 400, "A: \x1b[2J\r\n\r\n"},
    {"DEL in a value", 400, "A: \x7f\r\n\r\n"},
    // Chunks (§ 7.1).
    {"chunk size is no number", 400, "Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n"},
    {"chunk size is missing", 400, "Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n"},
    {"chunk size with 0x", 400, "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n"},
    {"signed chunk size", 400, "Transfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n"},
    {"negative chunk size", 400, "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n"},
    {"chunk size that overflows", 400,
     "Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n"},
    {"chunk size of 64 bits", 400, "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc\r\n0\r\n\r\n"},
    {"chunk size with too many zeros", 400,
     "Transfer-Encoding: chunked\r\n\r\n00000000000000003\r\nabc\r\n0\r\n\r\n"},
    {"space behind a chunk size", 400, "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n"},
    {"space before a chunk size", 400, "Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n"},
    {"underscore in a chunk size", 400, "Transfer-Encoding: chunked\r\n\r\n1_0\r\nabc\r\n0\r\n\r\n"},
    {"bare LF behind a chunk size", 400, "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n"},
    {"bare CR behind a chunk size", 400, "Transfer-Encoding: chunked\r\n\r\n3\rabc\r\n0\r\n\r\n"},
    {"bare LF in a chunk extension", 400, "Transfer-Encoding: chunked\r\n\r\n3;a\nbc\r\nabc\r\n0\r\n\r\n"},
    {"bare CR in a chunk extension", 400, "Transfer-Encoding: chunked\r\n\r\n3;a\rb\r\nabc\r\n0\r\n\r\n"},
    {"NUL in a chunk extension", 400, "Transfer-Encoding: chunked\r\n\r\n3;\0\r\nabc\r\n0\r\n\r\n"sv},
    {"chunk longer than its size", 400, "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"},
    {"chunk shorter than its size", 400, "Transfer-Encoding: chunked\r\n\r\n3\r\nab\r\n0\r\n\r\n"},
    {"bare LF behind a chunk", 400, "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n"},
    {"any two bytes behind a chunk", 400, "Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n"},
    {"bare LF behind the last chunk", 400, "Transfer-Encoding: chunked\r\n\r\n0\n\r\n"},
    {"bare LF behind the trailers", 400, "Transfer-Encoding: chunked\r\n\r\n0\r\n\n"},
    {"length in the trailers", 400, "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 4\r\n\r\n"},
    {"coding in the trailers", 400,
     "Transfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"Host in the trailers", 400, "Transfer-Encoding: chunked\r\n\r\n0\r\nHost: other\r\n\r\n"},
    {"folded trailer", 400, "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n"},
    {"space before a trailer's colon", 400, "Transfer-Encoding: chunked\r\n\r\n0\r\nA : b\r\n\r\n"},
    // The caller of another host (§ 3.2).
    {"second Host", 400, "Host: other\r\n\r\n"},
};

const Vector start_lines[] = {
    {"no Host in 1.1", 400, "GET / HTTP/1.1\r\n\r\n"},
    {"two Hosts in 1.0", 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
    {"Host with a path", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {"Host with user info", 400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"},
    {"Host with a space", 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {"Host as a list", 400, "GET / HTTP/1.1\r\nHost: a:80, b:80\r\n\r\n"},
    {"Host with a port that is none", 400, "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n"},
    {"Host with a port above 65535", 400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"},
    {"Host with two ports", 400, "GET / HTTP/1.1\r\nHost: a:80:81\r\n\r\n"},
    {"Host with half an IPv6 address", 400, "GET / HTTP/1.1\r\nHost: [2001:2::1\r\n\r\n"},
    {"Host with bytes behind an IPv6 address", 400, "GET / HTTP/1.1\r\nHost: [2001:2::1]x\r\n\r\n"},
    {"Host with a bad escape", 400, "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n"},
    {"invalid Host beside an absolute target", 400, "GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {"user info in an absolute target", 400, "GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"no host in an absolute target", 400, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"another scheme", 400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"target without a slash", 400, "GET x HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"target with a fragment", 400, "GET /x#y HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"target with a space", 400, "GET /x y HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"target with a tab", 400, "GET /x\ty HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"target with a raw byte above 127", 400, "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"target with a NUL", 400, "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"sv},
    {"asterisk without OPTIONS", 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"CONNECT to a path", 400, "CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"CONNECT without a port", 400, "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"CONNECT with an empty port", 400, "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"CONNECT to an address without a port", 400, "CONNECT [2001:2::1] HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"CONNECT with a body", 400, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"},
    {"method with a colon", 400, "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"method with a tab behind it", 400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"space before the method", 400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"two spaces", 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"space behind the version", 400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
    {"no version", 400, "GET /\r\nHost: a\r\n\r\n"},
    {"version in lower case", 400, "GET / http/1.1\r\nHost: a\r\n\r\n"},
    {"version with two digits", 400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"},
    {"version 2.0", 505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
    {"version 0.9", 505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
    {"version 1.2", 505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
    {"HTTP/2 preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    {"lines that end in LF", 400, "GET / HTTP/1.1\nHost: a\n\n"},
    {"bare CR in the request line", 400, "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"field before the first line's end", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    {"coding in 1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"TLS on a plain port", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"sv},
};

void expect_refused(std::string_view rule, int status, std::string_view bytes) {
  SeededRandom random(11);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random.below(bound)); };
  for_each_cutting(bytes, 4, below, [&](const std::vector<std::string_view>& pieces) {
    Http1Transcript transcript(Http1Parser::Role::request);
    for (const std::string_view piece : pieces) transcript.feed(piece);
    EXPECT_EQ(transcript.error_status(), status) << rule << "\n" << transcript.text();
    EXPECT_EQ(transcript.messages(), 0) << rule;
    EXPECT_FALSE(transcript.error_message().empty()) << rule;
  });
}

TEST(Http1Smuggling, RefusesEveryFieldVector) {
  for (const Vector& vector : vectors)
    expect_refused(vector.rule, vector.status, std::string(post).append(vector.bytes));
}

TEST(Http1Smuggling, RefusesEveryStartLineVector) {
  for (const Vector& vector : start_lines) expect_refused(vector.rule, vector.status, vector.bytes);
}

TEST(Http1Smuggling, ValidNeighboursOfTheVectorsPass) {
  for (const std::string_view bytes :
       {"Content-Length: 004\r\n\r\nabcd", "Content-Length:4\r\n\r\nabcd", "Content-Length:\t4 \r\n\r\nabcd",
        "Transfer-Encoding:chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "TRANSFER-ENCODING: CHUNKED \r\n\r\n0003\r\nabc\r\n000\r\n\r\n",
        "Transfer-Encoding:\tchunked\t \r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3 ; a=\"b\"\r\nabc\r\n0;x\r\nA:b\r\n\r\n", "A: \xc3\xa9\r\n\r\n",
        "Connection: close\r\n\r\n"}) {
    Http1Transcript transcript(Http1Parser::Role::request);
    transcript.feed(std::string(post).append(bytes));
    EXPECT_EQ(transcript.messages(), 1) << bytes << "\n" << transcript.error_message();
    EXPECT_EQ(transcript.error_status(), 0) << bytes;
  }
}

}  // namespace
}  // namespace weft::codec
