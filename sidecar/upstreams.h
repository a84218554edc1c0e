// A worker's way to its upstreams: connections to one endpoint, encrypted where it is meshed. HTTP
// connections are pooled; tunnels get a stream of their own. Lives on the worker's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/callback.h"
#include "http/pool.h"
#include "io/loop.h"
#include "sidecar/worker_context.h"

namespace weft::sidecar {

// What a connection is made to. Two requests may share one only if all of it is equal.
struct UpstreamTarget {
  Address address;
  std::string identity;  // SPIFFE id to demand; empty: plaintext
};

// What decides how a request travels, beside its head.
struct RequestTraits {
  policy::Protocol declared = policy::Protocol::detect;  // of the port it goes to
  bool bodyless = false;                                 // it ended with its head
  bool preserve_case = false;                            // weft.mesh/preserve-case
};

// What to speak there. Between sidecars HTTP/2, many requests on a connection, where that costs less than
// HTTP/1: whatever the caller speaks, for what has no body or a small one
// (docs/decisions/http2-between-sidecars.md); else as it came, for the receiver knows what its application
// speaks. Elsewhere what was declared decides, and without that the caller's. A gRPC server speaks HTTP/2
// whatever its port is called. An upgrade stays HTTP/1; a WebSocket alone can be asked for in either.
http::HttpProtocol protocol_towards(const UpstreamTarget& target, const codec::RequestHead& head,
                                    const RequestTraits& traits);

// Tells the receiving sidecar that a request of HTTP/1 travels as HTTP/2: where nothing is declared, its
// application is spoken to as the caller spoke. Only believed from a peer with a verified identity.
inline constexpr std::string_view came_as_header = "x-weft-came-as";
inline constexpr std::string_view came_as_http1 = "HTTP/1";
void say_how_it_came(codec::RequestHead& head, const UpstreamTarget& target, http::HttpProtocol protocol);

class Upstreams {
 public:
  explicit Upstreams(WorkerContext& context);

  using StreamDone = Function<void(Result<std::unique_ptr<io::Stream>>)>;
  // A stream for opaque TCP, as io::Loop::connect; with an identity it is mesh TLS, ALPN weft-tcp.
  [[nodiscard]] std::unique_ptr<io::Connecting> connect_tunnel(const UpstreamTarget& target, StreamDone done);
  // A pooled connection for one request, as http::Pool::acquire; with an identity ALPN is weft-http/1.1 or
  // weft-h2.
  [[nodiscard]] std::unique_ptr<http::PoolRequest> acquire(const UpstreamTarget& target,
                                                           http::HttpProtocol protocol, http::Pool::Done done,
                                                           http::PoolAccount account = {});
  // Connections made with the old credentials finish what they carry and go.
  void credentials_changed() { pool_.retire_all(); }
  void root_removed() { pool_.abandon_attempts(); }
  // Of the pool; any thread.
  std::size_t connections() const { return pool_.connections(); }
  std::size_t idle_connections() const { return pool_.idle_connections(); }

 private:
  std::optional<Duration> lifetime(const io::Stream& stream) const;
  std::unique_ptr<io::Connecting> connect(const UpstreamTarget& target, std::string alpn, StreamDone done);

  WorkerContext& context_;
  http::Pool pool_;
};

}  // namespace weft::sidecar
