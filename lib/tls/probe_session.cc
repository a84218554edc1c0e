#include "tls/probe_session.h"

#include <iterator>

#include <openssl/nid.h>

#include "base/text.h"
#include "tls/boring.h"

namespace weft::tls {
namespace {

// What a server may have that was set up for browsers and kubelets, not for this mesh.
constexpr int groups[] = {NID_X25519, NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1};
constexpr std::uint16_t signatures[] = {SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_RSA_PSS_RSAE_SHA256,
                                        SSL_SIGN_RSA_PKCS1_SHA256,       SSL_SIGN_ECDSA_SECP384R1_SHA384,
                                        SSL_SIGN_RSA_PSS_RSAE_SHA384,    SSL_SIGN_RSA_PKCS1_SHA384,
                                        SSL_SIGN_ECDSA_SECP521R1_SHA512, SSL_SIGN_RSA_PSS_RSAE_SHA512,
                                        SSL_SIGN_RSA_PKCS1_SHA512,       SSL_SIGN_ED25519,
                                        SSL_SIGN_RSA_PKCS1_SHA1};

ssl_verify_result_t accept_any_certificate(SSL*, std::uint8_t*) { return ssl_verify_ok; }

}  // namespace

Result<bssl::UniquePtr<SSL>> make_probe_session(const std::string& server_name, bool tls13) {
  const bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_with_buffers_method()));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(context.get(), tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1 ||
      SSL_CTX_set1_curves(context.get(), groups, std::size(groups)) != 1 ||
      SSL_CTX_set_verify_algorithm_prefs(context.get(), signatures, std::size(signatures)) != 1) {
    return fail(library_error("make a TLS context for a probe"));
  }
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_custom_verify(context.get(), SSL_VERIFY_PEER, accept_any_certificate);
  bssl::UniquePtr<SSL> session(SSL_new(context.get()));  // keeps the context alive
  if (!session) return fail(library_error("make a TLS session for a probe"));
  if (!server_name.empty() && SSL_set_tlsext_host_name(session.get(), server_name.c_str()) != 1) {
    ERR_clear_error();
    return fail(Code::invalid, str_cat("'", printable(server_name), "' cannot be sent as a TLS server name"));
  }
  SSL_set_connect_state(session.get());
  return session;
}

}  // namespace weft::tls
