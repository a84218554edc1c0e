#include "sidecar/upstreams.h"

#include <algorithm>

#include "base/backoff.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/dial.h"
#include "sidecar/local_reply.h"
#include "tls/tls_stream.h"

namespace weft::sidecar {
namespace {

constexpr std::string_view http1_alpn = "weft-http/1.1";  // a sidecar's, and nobody else's

http::PoolOptions pool_options(Function<std::optional<Duration>(const io::Stream&)> lifetime) {
  http::PoolOptions options;
  options.lifetime = std::move(lifetime);
  options.is_ours = [](const io::Stream& stream) {
    const auto* const secured = dynamic_cast<const tls::TlsStream*>(&stream);
    return secured != nullptr && secured->alpn() == http1_alpn;
  };
  return options;
}

}  // namespace

http::HttpProtocol protocol_towards(const UpstreamTarget& target, const codec::RequestHead& head,
                                    policy::Protocol declared) {
  using http::HttpProtocol;
  if (head.headers.has("upgrade")) return HttpProtocol::http1;
  if (!target.identity.empty() || is_grpc(head.headers) || !policy::is_http(declared))
    return head.version == codec::Version::http2 ? HttpProtocol::http2 : HttpProtocol::http1;
  return declared == policy::Protocol::http1 ? HttpProtocol::http1 : HttpProtocol::http2;
}

Upstreams::Upstreams(WorkerContext& context)
    : context_(context),
      // The pool is a member: it does not outlive this.
      pool_(context.loop, pool_options([this](const io::Stream& stream) { return lifetime(stream); })) {}

// Inside the mesh until one of the two certificates is about to expire, or the age limit. The application's
// own connections have no end but idleness.
std::optional<Duration> Upstreams::lifetime(const io::Stream& stream) const {
  const tls::PeerInfo* const peer = tls::peer_of(stream);
  if (peer == nullptr || !context_.credentials) return std::nullopt;
  const WallTime expiry = std::min(peer->not_after, context_.credentials->client->svid()->not_after);
  return std::min<Duration>(
      jittered(limits::mesh_connection_age_max, limits::age_jitter_percent, context_.random),
      expiry - limits::certificate_margin - context_.loop.wall_now());
}

std::unique_ptr<io::Connecting> Upstreams::connect(const UpstreamTarget& target, std::string alpn,
                                                   StreamDone done) {
  http::DialTarget dial;
  dial.address = target.address;
  if (!target.identity.empty()) {
    auto identity = SpiffeId::parse(target.identity);
    // Never in plaintext to an endpoint that should be encrypted.
    const std::string why = !identity               ? identity.error().message
                            : !context_.credentials ? "there is no certificate yet"
                            : context_.certificate_expired()
                                ? "this pod's certificate expired and was not renewed: see the CA"
                                : "";
    if (!why.empty()) {
      context_.loop.defer([done = std::move(done), why] { done(fail(Code::unavailable, why)); });
      return nullptr;
    }
    dial.context = context_.credentials->client;
    dial.expected_identity = *std::move(identity);
    dial.alpn = {std::move(alpn)};
    dial.connect_timeout = limits::mesh_connect_timeout;
  }
  return http::dial(context_.loop, std::move(dial), std::move(done));
}

std::unique_ptr<io::Connecting> Upstreams::connect_tunnel(const UpstreamTarget& target, StreamDone done) {
  return connect(target, "weft-tcp", std::move(done));
}

std::unique_ptr<http::PoolRequest> Upstreams::acquire(const UpstreamTarget& target,
                                                      http::HttpProtocol protocol, http::Pool::Done done,
                                                      http::PoolAccount account) {
  const std::string_view alpn = protocol == http::HttpProtocol::http2 ? "weft-h2" : http1_alpn;
  const auto attempt = [this, target, alpn](StreamDone connected) {
    return connect(target, std::string(alpn), std::move(connected));
  };
  return pool_.acquire(str_cat(target.address.to_string(), " ", target.identity), protocol, attempt,
                       std::move(done), account);
}

}  // namespace weft::sidecar
