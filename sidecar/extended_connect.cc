#include "sidecar/extended_connect.h"

#include "base/text.h"
#include "tls/digest.h"

namespace weft::sidecar {
namespace {

// RFC 6455 § 4.1: sixteen bytes at random.
std::string websocket_key(Random& random) {
  std::string bytes;
  for (int word = 0; word < 2; ++word) {
    const std::uint64_t bits = random.next();
    for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(bits >> shift & 0xff));
  }
  return base64_encode(bytes);
}

// RFC 6455 § 4.2.2: proves no secret, only that somebody read the key as a WebSocket's.
std::string accept_of(std::string_view key) {
  return base64_encode(tls::sha1(str_cat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
}

LocalReply refusal(std::string text) { return {502, "upgrade-refused", std::move(text), {}}; }

}  // namespace

UpgradeBridge::UpgradeBridge(std::string_view protocol, Random& random)
    : key_(equals_ignore_case(protocol, "websocket") ? websocket_key(random) : "") {}

codec::RequestHead UpgradeBridge::request(const codec::RequestHead& connect) const {
  codec::RequestHead head = connect;
  head.method = "GET";
  head.protocol.clear();
  head.version = codec::Version::http11;
  head.headers.set("upgrade", connect.protocol);
  if (!key_.empty()) head.headers.set("sec-websocket-key", key_);
  return head;
}

std::optional<LocalReply> UpgradeBridge::answer(codec::ResponseHead& head) const {
  constexpr int switching_protocols = 101;
  const bool to_websocket = equals_ignore_case(head.headers.get("upgrade").value_or(""), "websocket");
  head.headers.remove("upgrade");
  if (head.status == switching_protocols) {
    if (!key_.empty() && (!to_websocket || head.headers.get("sec-websocket-accept") != accept_of(key_)))
      return refusal("the application switched, but not to a WebSocket that has read our key");
    head.status = 200;
    head.headers.remove("sec-websocket-accept");
    head.headers.remove("content-length");  // a tunnel has none (RFC 9110 § 9.3.6)
    return std::nullopt;
  }
  if (head.status >= 300) return std::nullopt;
  return refusal(str_cat("the application answered ", head.status, " instead of switching protocols"));
}

}  // namespace weft::sidecar
