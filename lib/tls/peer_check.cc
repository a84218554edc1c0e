#include "tls/peer_check.h"

#include <algorithm>

#include "base/text.h"

namespace weft::tls {
namespace {

tl::unexpected<ChainError> wrong_identity(std::string message) {
  return tl::unexpected<ChainError>(ChainError{ChainError::Kind::wrong_identity, std::move(message)});
}

std::string names_of(const Certificate& leaf) {
  std::vector<std::string> names;
  for (const auto& name : leaf.dns_names()) {
    names.push_back(printable(name));
    if (names.size() == 8) break;
  }
  return names.empty() ? "no DNS name" : join(names, ", ");
}

}  // namespace

tl::expected<PeerInfo, ChainError> check_peer(const std::vector<Certificate>& chain,
                                              const TrustBundle& bundle, const PeerExpectation& expected,
                                              WallTime now) {
  if (auto error = verify_chain(chain, bundle, expected.purpose, now)) {
    return tl::unexpected<ChainError>(*std::move(error));
  }
  const Certificate& leaf = chain.front();
  PeerInfo peer{std::nullopt, leaf.dns_names(), leaf.sha256_hex(), leaf.not_after()};

  auto id = leaf.spiffe_id();
  const bool id_needed = expected.purpose == Purpose::client || expected.identity;
  if (id_needed) {
    if (!id) return wrong_identity(str_cat("peer certificate: ", id.error().message));
    if (expected.identity && *id != *expected.identity) {
      return wrong_identity(str_cat("peer certificate is for ", id->to_string(), ", expected ",
                                    expected.identity->to_string()));
    }
    if (id->trust_domain != bundle.trust_domain()) {
      return wrong_identity(str_cat("peer certificate is for ", id->to_string(),
                                    ", outside the trust domain ", bundle.trust_domain()));
    }
  }
  if (id && id->trust_domain == bundle.trust_domain()) peer.identity = *std::move(id);

  if (!expected.server_name.empty()) {
    const bool named =
        std::any_of(leaf.dns_names().begin(), leaf.dns_names().end(),
                    [&](const std::string& name) { return equals_ignore_case(name, expected.server_name); });
    if (!named) {
      return wrong_identity(str_cat("peer certificate is for ", names_of(leaf), ", expected the DNS name ",
                                    expected.server_name));
    }
  } else if (!id_needed) {
    return wrong_identity("nothing was expected of the server, so it cannot be the right one");
  }
  return peer;
}

}  // namespace weft::tls
