#include "sidecar/upstreams.h"

#include <algorithm>

#include "base/backoff.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/dial.h"
#include "sidecar/extended_connect.h"
#include "sidecar/local_reply.h"
#include "tls/tls_stream.h"

namespace weft::sidecar {
namespace {

// A sidecar's, and nobody else's.
constexpr std::string_view http1_alpn = "weft-http/1.1";
constexpr std::string_view http2_alpn = "weft-h2";

http::PoolOptions pool_options(Function<std::optional<Duration>(const io::Stream&)> lifetime) {
  http::PoolOptions options;
  options.lifetime = std::move(lifetime);
  options.is_ours = [](const io::Stream& stream) {
    const auto* const secured = dynamic_cast<const tls::TlsStream*>(&stream);
    return secured != nullptr && (secured->alpn() == http1_alpn || secured->alpn() == http2_alpn);
  };
  return options;
}

// A large body pays for HTTP/2's frames and windows, and gains nothing from company.
bool is_small(const codec::RequestHead& head, bool bodyless) {
  if (bodyless) return true;
  const auto declared = head.headers.get("content-length");
  const auto bytes = declared ? parse_number<std::uint64_t>(*declared) : std::nullopt;
  return bytes && *bytes <= limits::shared_body_bytes_max;
}

// Whether a request of HTTP/1 may travel as HTTP/2. Upgrade and CONNECT take their connection over (RFC 9113
// § 8.6), HTTP/1.0 may lack the authority that HTTP/2 wants, and what calls itself gRPC over HTTP/1
// (gRPC-Web) is none to an application: the receiver must not take it for the real one.
bool may_share(const codec::RequestHead& head, const RequestTraits& traits) {
  return !traits.preserve_case && !is_grpc(head.headers) && head.method != "CONNECT" &&
         !head.authority.empty() && is_small(head, traits.bodyless);
}

}  // namespace

http::HttpProtocol protocol_towards(const UpstreamTarget& target, const codec::RequestHead& head,
                                    const RequestTraits& traits) {
  using http::HttpProtocol;
  const bool bridged = target.identity.empty() && asks_for_websocket(head);
  if (head.headers.has("upgrade") && !bridged) return HttpProtocol::http1;
  const HttpProtocol as_it_came =
      head.version == codec::Version::http2 ? HttpProtocol::http2 : HttpProtocol::http1;
  if (!target.identity.empty()) return may_share(head, traits) ? HttpProtocol::http2 : as_it_came;
  if (is_grpc(head.headers) || !policy::is_http(traits.declared)) return as_it_came;
  return traits.declared == policy::Protocol::http1 ? HttpProtocol::http1 : HttpProtocol::http2;
}

void say_how_it_came(codec::RequestHead& head, const UpstreamTarget& target, http::HttpProtocol protocol) {
  head.headers.remove(came_as_header);
  const bool changes = protocol == http::HttpProtocol::http2 && head.version != codec::Version::http2;
  if (!target.identity.empty() && changes) head.headers.add(came_as_header, came_as_http1);
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
  const std::string_view alpn = protocol == http::HttpProtocol::http2 ? http2_alpn : http1_alpn;
  const auto attempt = [this, target, alpn](StreamDone connected) {
    return connect(target, std::string(alpn), std::move(connected));
  };
  return pool_.acquire(str_cat(target.address.to_string(), " ", target.identity), protocol, attempt,
                       std::move(done), account);
}

}  // namespace weft::sidecar
