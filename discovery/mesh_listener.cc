#include "discovery/mesh_listener.h"

#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

namespace weft::discovery {
namespace {

// Handshakes under way at once; who comes beyond that is turned away and tries again.
constexpr std::size_t handshakes_max = 1024;

}  // namespace

Status MeshListener::set_credentials(const kube::WorkloadCredentials& credentials) {
  tls::ServerContextOptions options;
  options.alpn = {"h2"};
  auto context = tls::Context::server(credentials.svid, credentials.bundle, std::move(options));
  if (!context) return fail(context.error());
  context_ = *std::move(context);
  return {};
}

Status MeshListener::listen(const Address& address) {
  WEFT_CHECK(context_ != nullptr);
  auto listener =
      loop_.listen(address, {}, anchor_.guard([this](auto stream) { accepted(std::move(stream)); }));
  if (!listener) return fail(listener.error());
  listener_ = *std::move(listener);
  return {};
}

void MeshListener::accepted(std::unique_ptr<io::Stream> stream) {
  if (handshakes_.size() >= handshakes_max) return loop_.delete_later(std::move(stream));
  const std::uint64_t number = next_handshake_++;
  const Address peer = stream->peer_address();
  handshakes_[number] =
      tls::handshake_server(loop_, std::move(stream), {}, context_, limits::handshake_timeout,
                            anchor_.guard([this, number, peer](auto secured) {
                              handshake_done(number, peer, std::move(secured));
                            }));
}

void MeshListener::handshake_done(std::uint64_t number, const Address& peer,
                                  Result<std::unique_ptr<tls::TlsStream>> stream) {
  const auto found = handshakes_.find(number);
  loop_.delete_later(std::move(found->second));
  handshakes_.erase(found);
  if (!stream) {
    ++handshakes_failed_;
    log::warning("TLS handshake failed", {{"peer", peer.to_string()}, {"error", stream.error().message}});
    return;
  }
  http::GrpcPeer who{.address = peer, .identity = (*stream)->peer().identity};
  server_.accept(*std::move(stream), std::move(who));
}

}  // namespace weft::discovery
