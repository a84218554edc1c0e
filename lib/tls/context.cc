#include "tls/context.h"

#include <openssl/nid.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>

#include "base/text.h"
#include "tls/boring.h"
#include "tls/connection.h"

namespace weft::tls {
namespace {

constexpr std::size_t certificates_bytes_max = 64 * 1024;  // of a peer's chain

// Our protocols in our order; a client that offers none of them goes on without (RFC 7301 § 3.2 would allow
// an alert, but go-spiffe and gateways are welcome whatever they offer).
int select_alpn(SSL*, const std::uint8_t** out, std::uint8_t* out_length, const std::uint8_t* offered,
                unsigned offered_length, void* argument) {
  const auto* context = static_cast<const Context*>(argument);
  const std::string_view list = view_of(offered, offered_length);
  for (const auto& ours : context->server_options().alpn) {
    for (std::size_t at = 0; at < list.size();) {
      const std::size_t length = static_cast<unsigned char>(list[at]);
      const std::string_view theirs = list.substr(at + 1, length);
      if (theirs == ours) {
        *out = bytes_of(theirs);
        *out_length = static_cast<std::uint8_t>(length);
        return SSL_TLSEXT_ERR_OK;
      }
      at += 1 + length;
    }
  }
  return SSL_TLSEXT_ERR_NOACK;
}

Status set_identity(SSL_CTX* context, const Svid& svid) {
  std::vector<bssl::UniquePtr<CRYPTO_BUFFER>> owned;
  std::vector<CRYPTO_BUFFER*> chain;
  for (const auto& certificate : svid.chain) {
    owned.emplace_back(CRYPTO_BUFFER_new(bytes_of(certificate.der()), certificate.der().size(), nullptr));
    chain.push_back(owned.back().get());
  }
  if (SSL_CTX_set_chain_and_key(context, chain.data(), chain.size(), svid.key.native(), nullptr) != 1) {
    return fail(library_error("use our certificate"));
  }
  return {};
}

Result<bssl::UniquePtr<SSL_CTX>> make_native(const Svid* svid) {
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_with_buffers_method()));
  // Named, since Debian's build would also offer the withdrawn hybrid group CECPQ2.
  static constexpr int groups[] = {NID_X25519, NID_X9_62_prime256v1};
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set1_curves(context.get(), groups, std::size(groups)) != 1) {
    return fail(library_error("make a TLS context"));
  }
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_early_data_enabled(context.get(), 0);
  SSL_CTX_set_max_cert_list(context.get(), certificates_bytes_max);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (svid != nullptr) WEFT_TRY(set_identity(context.get(), *svid));
  return context;
}

}  // namespace

Result<std::shared_ptr<const Svid>> make_svid(PrivateKey key, const std::vector<std::string>& chain_pem) {
  std::vector<Certificate> chain;
  for (const auto& pem : chain_pem) {
    auto part = parse_chain(pem);
    if (!part) return fail(part.error().in("certificate chain"));
    for (auto& certificate : *part) {
      if (chain.empty() || !certificate.is_self_signed()) chain.push_back(std::move(certificate));
    }
  }
  if (chain.empty()) return fail(Code::invalid, "certificate chain: empty");
  const Certificate& leaf = chain.front();
  if (leaf.is_ca())
    return fail(Code::invalid, "certificate chain: the first certificate is a CA, expected a leaf");
  if (!(leaf.public_key() == key.public_key())) {
    return fail(Code::invalid, "certificate chain: the leaf is for another key than ours");
  }
  auto id = leaf.spiffe_id();
  if (!id) return fail(id.error().in("certificate chain"));
  const auto not_before = leaf.not_before();
  const auto not_after = leaf.not_after();
  return std::make_shared<const Svid>(
      Svid{std::move(key), std::move(chain), *std::move(id), not_before, not_after});
}

Context::Context(ssl_ctx_st* native, std::shared_ptr<const Svid> svid,
                 std::shared_ptr<const TrustBundle> bundle, bool is_server, ServerContextOptions options)
    : native_(native),
      svid_(std::move(svid)),
      bundle_(std::move(bundle)),
      is_server_(is_server),
      server_options_(std::move(options)) {}

Context::~Context() { SSL_CTX_free(native_); }

Result<std::shared_ptr<const Context>> Context::client(std::shared_ptr<const Svid> svid,
                                                       std::shared_ptr<const TrustBundle> bundle) {
  if (!bundle) return fail(Code::invalid, "TLS client: no trust bundle, so no server could be verified");
  WEFT_ASSIGN(auto native, make_native(svid.get()));
  SSL_CTX_set_custom_verify(native.get(), SSL_VERIFY_PEER, Connection::verify_peer_certificate);
  return std::shared_ptr<const Context>(
      new Context(native.release(), std::move(svid), std::move(bundle), false, ServerContextOptions{}));
}

Result<std::shared_ptr<const Context>> Context::server(std::shared_ptr<const Svid> svid,
                                                       std::shared_ptr<const TrustBundle> bundle,
                                                       ServerContextOptions options) {
  if (!svid) return fail(Code::invalid, "TLS server: no certificate to show");
  if (!bundle && options.require_client_certificate) {
    return fail(Code::invalid, "TLS server: no trust bundle, so no client could be verified");
  }
  WEFT_ASSIGN(auto native, make_native(svid.get()));
  if (options.require_client_certificate) {
    SSL_CTX_set_custom_verify(native.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                              Connection::verify_peer_certificate);
  }
  SSL_CTX* raw = native.get();
  std::shared_ptr<const Context> context(
      new Context(native.release(), std::move(svid), std::move(bundle), true, std::move(options)));
  // The SSL_CTX dies with the Context, so the plain pointer lives as long as it can be used.
  SSL_CTX_set_alpn_select_cb(raw, select_alpn, const_cast<Context*>(context.get()));
  return context;
}

}  // namespace weft::tls
