#include "sidecar/upstreams.h"

#include "base/limits.h"
#include "base/text.h"
#include "http/dial.h"

namespace weft::sidecar {

std::unique_ptr<io::Connecting> Upstreams::connect(const UpstreamTarget& target, std::string alpn,
                                                   StreamDone done) {
  http::DialTarget dial;
  dial.address = target.address;
  if (!target.identity.empty()) {
    auto identity = SpiffeId::parse(target.identity);
    // Never in plaintext to an endpoint that should be encrypted.
    const bool possible = identity && context_.credentials;
    if (!possible) {
      const std::string why = identity ? "there is no certificate yet" : identity.error().message;
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

std::unique_ptr<http::PoolRequest> Upstreams::acquire(const UpstreamTarget& target, http::Pool::Done done) {
  const auto attempt = [this, target](StreamDone connected) {
    return connect(target, "weft-http/1.1", std::move(connected));
  };
  return pool_.acquire(str_cat(target.address.to_string(), " ", target.identity), attempt, std::move(done));
}

}  // namespace weft::sidecar
