// WebSocket, and other upgrades, over HTTP/2 (RFC 8441): what an extended CONNECT is to an application that
// speaks HTTP/1.1 (§ 5), and to rules. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "codec/message.h"
#include "sidecar/local_reply.h"

namespace weft::sidecar {

inline bool is_extended_connect(const codec::RequestHead& head) { return !head.protocol.empty(); }

// The method that rules see: an extended CONNECT asks for what a GET with Upgrade asks for over HTTP/1.1.
inline std::string_view governed_method(const codec::RequestHead& head) {
  return is_extended_connect(head) ? std::string_view("GET") : std::string_view(head.method);
}

// One extended CONNECT, made a GET with Upgrade.
class UpgradeBridge {
 public:
  UpgradeBridge(std::string_view protocol, Random& random);

  // The GET that stands for `connect`.
  codec::RequestHead request(const codec::RequestHead& connect) const;
  // Brings the answer to that GET into the form of an answer to the CONNECT: 101 becomes 200. Returns what to
  // say instead where the application answered a 2xx without switching, which would read as a tunnel, or
  // switched to something else than a WebSocket that has read our key (RFC 6455 § 4.1).
  std::optional<LocalReply> answer(codec::ResponseHead& head) const;

 private:
  std::string key_;  // of a WebSocket; HTTP/2 has no such field, so it is ours, and so is its answer
};

}  // namespace weft::sidecar
