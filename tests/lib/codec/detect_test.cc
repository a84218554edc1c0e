#include "codec/detect.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/text.h"

namespace weft::codec {
namespace {

using namespace std::string_view_literals;
using Kind = Detection::Kind;

std::string u16(std::size_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 255)}; }
std::string sized(std::size_t bytes_of_length, const std::string& data) {
  return bytes_of_length == 1 ? str_cat(static_cast<char>(data.size()), data) : u16(data.size()) + data;
}
std::string extension(std::size_t type, const std::string& data) { return u16(type) + sized(2, data); }
std::string server_name(const std::string& name) {
  return extension(0, sized(2, std::string(1, '\0') + sized(2, name)));
}
std::string alpn(std::initializer_list<std::string> protocols) {
  std::string list;
  for (const std::string& protocol : protocols) list += sized(1, protocol);
  return extension(16, sized(2, list));
}

std::string message(const std::string& extensions) {
  const std::string body = std::string("\3\3", 2) + std::string(32, 'r') + sized(1, std::string(32, 's')) +
                           sized(2, "\x13\x01") + sized(1, std::string(1, '\0')) + sized(2, extensions);
  return std::string("\1\0", 2) + u16(body.size()) + body;
}

std::string records(const std::string& message, std::size_t bytes_each) {
  std::string out;
  for (std::size_t at = 0; at < message.size(); at += bytes_each) {
    out += std::string("\x16\3\1", 3) + sized(2, message.substr(at, bytes_each));
  }
  return out;
}

struct Verdict {
  std::string_view bytes;
  Kind expected;
};
const Verdict verdicts[] = {
    {"", Kind::need_more},
    {"G", Kind::need_more},
    {"GET /x", Kind::need_more},
    {"GET /x HTTP/1.1\r", Kind::need_more},
    {"GET /x HTTP/1.1\r\n", Kind::http1},
    {"\r\nGET /x HTTP/1.0\r\n", Kind::http1},
    {"GET /x HTTP/1.1\n", Kind::http1},
    {"GET /x HTTP/9.9\r\n", Kind::http1},
    {"GET hTTps://x HTTP/1.1\r\n", Kind::http1},
    {"OPTIONS * HTTP/1.1\r\n", Kind::http1},
    {"CONNECT h:1 HTTP/1.1\r\n", Kind::http1},
    {"M-SEARCH * HTTP/1.1\r\n", Kind::http1},
    {"GET / HTTP/1.1 \r\n", Kind::opaque},
    {"GET /\r\n", Kind::opaque},
    {"GET key\r\n", Kind::opaque},
    {"GET /x \1", Kind::opaque},
    {"get /x HTTP/1.1\r\n", Kind::opaque},
    {"CONNECT {\"verbose\":false}\r\n", Kind::opaque},
    {"DESCRIBE rtsp://x RTSP/1.0\r\n", Kind::opaque},
    {"INVITE sip:a@b SIP/2.0\r\n", Kind::opaque},
    {"EHLO mail\r\n", Kind::opaque},
    {"*1\r\n$4\r\nPING\r\n", Kind::opaque},
    {"SSH-2.0-x\r\n", Kind::opaque},
    {"\0\0\0\10\4\xd2\x16\x2f"sv, Kind::opaque},
    {"AMETHODTHATISLONGERTHANANYBODYUSES", Kind::opaque},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Kind::http2},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"sv, Kind::http2},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", Kind::need_more},
    {"PRI * HTTP/2.0\r\n\r\nSX", Kind::http1},
    {"\x16", Kind::need_more},
    {"\x16\x02", Kind::opaque},
    {"\x16\3\1", Kind::need_more},
};

TEST(Detect, TellsProtocolsApart) {
  for (const Verdict& row : verdicts) EXPECT_EQ(detect(row.bytes).kind, row.expected) << printable(row.bytes);
}

// However the bytes come, whole, one by one or cut anywhere, each look sees a beginning of them: none may say
// anything else than the whole does, but that it needs more.
void expect_same_however_cut(std::string_view bytes) {
  const Kind whole = detect(bytes).kind;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Kind so_far = detect(bytes.substr(0, size)).kind;
    if (so_far == Kind::need_more) continue;
    ASSERT_EQ(so_far, whole) << size << " of " << printable(bytes);
  }
}

TEST(Detect, SaysTheSameHoweverTheBytesAreCut) {
  for (const Verdict& row : verdicts) expect_same_however_cut(row.bytes);
  // With what follows in the same read.
  for (const Verdict& row : verdicts) {
    if (row.expected != Kind::need_more)
      expect_same_however_cut(str_cat(row.bytes, "GET / HTTP/1.1\r\n\x16\3\1"));
  }
  const std::string hello = message(server_name("a") + alpn({"weft-h2"}));
  for (const std::size_t each : {1u, 7u, 100u, 1000u}) expect_same_however_cut(records(hello, each) + "more");
  expect_same_however_cut(records(message(server_name("a b")), 5));
}

TEST(Detect, NeverAsksForMoreThanTheLimit) {
  const std::string target = "GET /" + std::string(limits::detect_bytes_max, 'a');
  EXPECT_EQ(detect(std::string_view(target).substr(0, limits::detect_bytes_max - 1)).kind, Kind::need_more);
  EXPECT_EQ(detect(std::string_view(target).substr(0, limits::detect_bytes_max)).kind, Kind::http1);
  EXPECT_EQ(detect(target + "\1").kind, Kind::http1) << "one read that brings more says the same";
  EXPECT_EQ(detect("\r\n" + target).kind, Kind::http1) << "an empty line before it counts as well";
  const std::string slow = records(message(extension(99, std::string(15000, 'x'))), 1);
  EXPECT_EQ(detect(std::string_view(slow).substr(0, limits::detect_bytes_max - 1)).kind, Kind::need_more);
  EXPECT_EQ(detect(std::string_view(slow).substr(0, limits::detect_bytes_max)).kind, Kind::malformed_tls);
}

TEST(ClientHello, IsReadHoweverItIsFragmented) {
  const std::string hello =
      message(extension(43, "\2\3\4") + server_name("Hello.Default") + alpn({"weft-h2", "http/1.1"}));
  for (std::size_t each = 1; each <= hello.size(); ++each) {
    const std::string bytes = records(hello, each);
    const Detection detection = detect(bytes + "more");
    ASSERT_EQ(detection.kind, Kind::tls) << each;
    EXPECT_EQ(detection.hello.server_name, "hello.default");
    EXPECT_EQ(detection.hello.alpn, (std::vector<std::string>{"weft-h2", "http/1.1"}));
    EXPECT_TRUE(detection.hello.offers_alpn("http/1.1"));
    EXPECT_FALSE(detection.hello.offers_alpn("h2"));
    ASSERT_EQ(detect(std::string_view(bytes).substr(0, bytes.size() - 1)).kind, Kind::need_more) << each;
  }
}

TEST(ClientHello, EveryPrefixNeedsMore) {
  const std::string bytes = records(message(server_name("a") + alpn({"h2"})), 20);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_EQ(detect(std::string_view(bytes).substr(0, size)).kind, Kind::need_more) << size;
  }
}

TEST(ClientHello, MayHaveNoNameAndNoProtocols) {
  const Detection detection = detect(records(message(""), 1000));
  ASSERT_EQ(detection.kind, Kind::tls);
  EXPECT_EQ(detection.hello.server_name, "");
  EXPECT_TRUE(detection.hello.alpn.empty());
}

TEST(ClientHello, MalformedOnesSayWhy) {
  const std::string plain = message("");
  struct {
    std::string bytes;
    std::string_view why;
  } const rows[] = {
      {std::string("\x16\3\1\0\0", 5), "empty"},
      {std::string("\x16\3\1\x7f\xff", 5), "16384"},
      {records(plain, 10).substr(0, 15) + std::string("\x17\3\1", 3), "not a handshake"},
      {records(plain, 10).substr(0, 15) + std::string("\x16\2", 2), "version"},
      {records(str_cat('\2', plain.substr(1)), 1000), "another"},
      {records(std::string("\1\1\0\0", 4), 1000), "too long"},
      {records(message(server_name("a") + server_name("b")), 1000), "twice"},
      {records(message(alpn({"a"}) + alpn({"b"})), 1000), "twice"},
      {records(message(server_name("")), 1000), "server_name"},
      {records(message(server_name(std::string("a\0b", 3))), 1000), "server_name"},
      {records(message(server_name("a b")), 1000), "server_name"},
      {records(message(server_name(std::string(256, 'a'))), 1000), "server_name"},
      {records(message(alpn({})), 1000), "ALPN"},
      {records(message(alpn({""})), 1000), "ALPN"},
      {records(message(extension(16, std::string("\0\5\1a", 4))), 1000), "ALPN"},
      {records(message(std::string("\0\0\0\x50", 4)), 1000), "longer than the list"},
      {records(std::string("\1\0\0\4\3\3rr", 8), 1000), "longer than the message"},
      {records(std::string("\1\0\0\x2a\3\3", 6) + std::string(32, 'r') + std::string("\0\0\1x\1\0\0\0", 8),
               1000),
       "cipher"},
  };
  for (const auto& row : rows) {
    const Detection detection = detect(row.bytes);
    EXPECT_EQ(detection.kind, Kind::malformed_tls) << row.why;
    EXPECT_NE(detection.error.message.find(row.why), std::string::npos) << detection.error.message;
  }
}

}  // namespace
}  // namespace weft::codec
