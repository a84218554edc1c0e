#include "sidecar/extended_connect.h"

#include <string>
#include <utility>

#include "base/text.h"
#include "tls/digest.h"

namespace weft::sidecar {
namespace {

constexpr std::string_view websocket = "websocket";
constexpr std::string_view key_header = "sec-websocket-key";
constexpr std::string_view accept_header = "sec-websocket-accept";
constexpr int switching_protocols = 101;

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

// An extended CONNECT, to an upstream of HTTP/1.1 a GET with Upgrade.
class UpgradeBridge final : public TunnelBridge {
 public:
  UpgradeBridge(std::string_view protocol, Random& random)
      : key_(equals_ignore_case(protocol, websocket) ? websocket_key(random) : "") {}

  codec::RequestHead request(const codec::RequestHead& asked) const override {
    codec::RequestHead head = asked;
    head.method = "GET";
    head.protocol.clear();
    head.version = codec::Version::http11;
    head.headers.set("upgrade", asked.protocol);
    if (!key_.empty()) head.headers.set(key_header, key_);
    return head;
  }

  // A 2xx that does not switch would read as a tunnel, and a switch to something else than a WebSocket that
  // has read our key is none (RFC 6455 § 4.1).
  std::optional<LocalReply> answer(codec::ResponseHead& head) const override {
    const bool to_websocket = equals_ignore_case(head.headers.get("upgrade").value_or(""), websocket);
    head.headers.remove("upgrade");
    if (head.status == switching_protocols) {
      if (!key_.empty() && (!to_websocket || head.headers.get(accept_header) != accept_of(key_)))
        return refusal("the application switched, but not to a WebSocket that has read our key");
      head.status = 200;
      head.headers.remove(accept_header);
      head.headers.remove("content-length");  // a tunnel has none (RFC 9110 § 9.3.6)
      return std::nullopt;
    }
    if (head.status >= 300) return std::nullopt;
    return refusal(str_cat("the application answered ", head.status, " instead of switching protocols"));
  }

 private:
  std::string key_;  // of a WebSocket; HTTP/2 has no such field, so it is ours, and so is its answer
};

// A WebSocket of HTTP/1.1, to an upstream of HTTP/2 an extended CONNECT.
class ConnectBridge final : public TunnelBridge {
 public:
  explicit ConnectBridge(std::string_view key) : key_(key) {}

  codec::RequestHead request(const codec::RequestHead& asked) const override {
    codec::RequestHead head = asked;
    head.method = "CONNECT";
    head.protocol = websocket;
    head.version = codec::Version::http2;
    head.headers.remove("upgrade");
    head.headers.remove(key_header);        // RFC 8441 § 5: HTTP/2 has no use for it
    head.headers.remove("content-length");  // a zero, which the tunnel's bytes would contradict
    return head;
  }

  std::optional<LocalReply> answer(codec::ResponseHead& head) const override {
    if (head.status >= 300) return std::nullopt;
    head.status = switching_protocols;
    head.headers.set("upgrade", websocket);
    head.headers.set(accept_header, accept_of(key_));
    return std::nullopt;
  }

 private:
  std::string key_;  // the caller's
};

}  // namespace

bool asks_for_websocket(const codec::RequestHead& head) {
  return head.method == "GET" && equals_ignore_case(head.headers.get("upgrade").value_or(""), websocket) &&
         head.headers.count("upgrade") == 1 && head.headers.count(key_header) == 1;
}

std::unique_ptr<TunnelBridge> bridge_towards(http::HttpProtocol upstream, const codec::RequestHead& asked,
                                             Random& random) {
  if (upstream == http::HttpProtocol::http1 && is_extended_connect(asked))
    return std::make_unique<UpgradeBridge>(asked.protocol, random);
  if (upstream == http::HttpProtocol::http2 && asks_for_websocket(asked))
    return std::make_unique<ConnectBridge>(*asked.headers.get(key_header));
  return nullptr;
}

}  // namespace weft::sidecar
