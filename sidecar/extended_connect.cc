#include "sidecar/extended_connect.h"

#include <string>

#include "base/text.h"

namespace weft::sidecar {
namespace {

// RFC 6455 § 4.1: sixteen bytes at random. HTTP/2 has no such field, so the key is ours, and so is its
// answer.
std::string websocket_key(Random& random) {
  std::string bytes;
  for (int word = 0; word < 2; ++word) {
    const std::uint64_t bits = random.next();
    for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(bits >> shift & 0xff));
  }
  return base64_encode(bytes);
}

}  // namespace

codec::RequestHead upgrade_request(const codec::RequestHead& connect, Random& random) {
  codec::RequestHead head = connect;
  head.method = "GET";
  head.protocol.clear();
  head.version = codec::Version::http11;
  head.headers.set("upgrade", connect.protocol);
  if (equals_ignore_case(connect.protocol, "websocket")) {
    head.headers.set("sec-websocket-key", websocket_key(random));
  }
  return head;
}

std::optional<LocalReply> answer_connect(codec::ResponseHead& head) {
  constexpr int switching_protocols = 101;
  head.headers.remove("upgrade");
  if (head.status == switching_protocols) {
    head.status = 200;
    head.headers.remove("sec-websocket-accept");
    head.headers.remove("content-length");  // a tunnel has none (RFC 9110 § 9.3.6)
    return std::nullopt;
  }
  if (head.status >= 300) return std::nullopt;
  return LocalReply{502,
                    "upgrade-refused",
                    str_cat("the application answered ", head.status, " instead of switching protocols"),
                    {}};
}

}  // namespace weft::sidecar
