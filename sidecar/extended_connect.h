// WebSocket, and other upgrades, over HTTP/2 (RFC 8441): what an extended CONNECT is over HTTP/1.1 (§ 5),
// what a WebSocket of HTTP/1.1 is over HTTP/2, and what both are to rules. Pure.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/random.h"
#include "codec/message.h"
#include "http/exchange.h"
#include "sidecar/local_reply.h"

namespace weft::sidecar {

inline bool is_extended_connect(const codec::RequestHead& head) { return !head.protocol.empty(); }

// A GET with Upgrade that is a WebSocket's, and nothing else's: other upgrades have no form that HTTP/2 is
// known to carry.
bool asks_for_websocket(const codec::RequestHead& head);

// The method that rules see: an extended CONNECT asks for what a GET with Upgrade asks for over HTTP/1.1.
inline std::string_view governed_method(const codec::RequestHead& head) {
  return is_extended_connect(head) ? std::string_view("GET") : std::string_view(head.method);
}

// One tunnel that is asked for in one version of HTTP and made in the other.
class TunnelBridge {
 public:
  virtual ~TunnelBridge() = default;
  // What stands for `asked`, the request that the bridge was made for, in the upstream's version.
  virtual codec::RequestHead request(const codec::RequestHead& asked) const = 0;
  // Brings the answer to that into the form of an answer to `asked`. Returns what to say instead where it is
  // none.
  virtual std::optional<LocalReply> answer(codec::ResponseHead& head) const = 0;
};

// Null where `asked` goes to an upstream of that protocol as it is.
std::unique_ptr<TunnelBridge> bridge_towards(http::HttpProtocol upstream, const codec::RequestHead& asked,
                                             Random& random);

}  // namespace weft::sidecar
