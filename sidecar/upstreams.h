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

// What to speak there. Between sidecars as the request came: the receiver knows what its application speaks.
// Elsewhere what was `declared` decides, and without that the caller's. A gRPC server speaks HTTP/2 whatever
// its port is called; Upgrade is a matter of HTTP/1 (RFC 9113 § 8.6).
http::HttpProtocol protocol_towards(const UpstreamTarget& target, const codec::RequestHead& head,
                                    policy::Protocol declared);

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
