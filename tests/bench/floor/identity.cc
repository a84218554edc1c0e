// TlsContext: certificates, verification and tickets.
#include <cstdio>

#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/x509.h>

#include "base/check.h"
#include "base/text.h"
#include "tests/bench/floor/tls.h"

namespace weft::bench {
namespace {

constexpr std::size_t tickets_max = 1024;  // kept for one peer
constexpr std::string_view session_context = "weft-bench-floor";

Error file_error(std::string_view file) { return Error{Code::invalid, str_cat(file, ": ", tls_error())}; }

Result<std::vector<bssl::UniquePtr<CRYPTO_BUFFER>>> load_chain(const std::string& file) {
  std::vector<bssl::UniquePtr<CRYPTO_BUFFER>> chain;
  const bssl::UniquePtr<BIO> bio(BIO_new_file(file.c_str(), "r"));
  if (!bio) return fail(file_error(file));
  while (const bssl::UniquePtr<X509> certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    std::uint8_t* der = nullptr;
    const int size = i2d_X509(certificate.get(), &der);
    const bssl::UniquePtr<std::uint8_t> owned(der);
    if (size < 0) return fail(file_error(file));
    chain.emplace_back(CRYPTO_BUFFER_new(der, static_cast<std::size_t>(size), nullptr));
  }
  if (chain.empty()) return fail(file_error(file));
  return chain;
}

bssl::UniquePtr<STACK_OF(X509)> parse_chain(const STACK_OF(CRYPTO_BUFFER) * buffers) {
  bssl::UniquePtr<STACK_OF(X509)> chain(sk_X509_new_null());
  for (std::size_t i = 0; i < sk_CRYPTO_BUFFER_num(buffers); ++i) {
    bssl::UniquePtr<X509> certificate(X509_parse_from_buffer(sk_CRYPTO_BUFFER_value(buffers, i)));
    if (!certificate || !bssl::PushToStack(chain.get(), std::move(certificate))) return nullptr;
  }
  return chain;
}

const BIO_METHOD* wire_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index(), "wire");
    WEFT_CHECK(made != nullptr);
    BIO_meth_set_read(made, Wire::read);
    BIO_meth_set_write(made, Wire::write);
    BIO_meth_set_ctrl(made, [](BIO*, int command, long, void*) -> long { return command == BIO_CTRL_FLUSH; });
    return made;
  }();
  return method;
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::make(const Files& files, bool is_server, bool resume) {
  std::unique_ptr<TlsContext> context(new TlsContext);
  // Certificates as bytes: parsed for the verification only, not kept parsed with every connection.
  context->native_.reset(SSL_CTX_new(TLS_with_buffers_method()));
  context->bio_.reset(BIO_new(wire_method()));
  WEFT_CHECK(context->native_ && context->bio_);
  BIO_set_data(context->bio_.get(), &context->wire_);
  BIO_set_init(context->bio_.get(), 1);
  WEFT_TRY(context->load(files));
  context->configure(is_server, resume);
  return context;
}

Status TlsContext::load(const Files& files) {
  WEFT_ASSIGN(const auto chain, load_chain(files.certificate));
  const bssl::UniquePtr<BIO> key_file(BIO_new_file(files.key.c_str(), "r"));
  if (!key_file) return fail(file_error(files.key));
  const bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(key_file.get(), nullptr, nullptr, nullptr));
  if (!key) return fail(file_error(files.key));
  std::vector<CRYPTO_BUFFER*> borrowed;
  for (const auto& certificate : chain) borrowed.push_back(certificate.get());
  if (SSL_CTX_set_chain_and_key(native_.get(), borrowed.data(), borrowed.size(), key.get(), nullptr) != 1) {
    return fail(file_error(files.certificate));
  }
  roots_.reset(X509_STORE_new());
  if (X509_STORE_load_locations(roots_.get(), files.ca.c_str(), nullptr) != 1) {
    return fail(file_error(files.ca));
  }
  return {};
}

void TlsContext::configure(bool is_server, bool resume) {
  SSL_CTX* const native = native_.get();
  is_server_ = is_server;
  // Without the hybrid group CECPQ2 that Debian's build would add.
  static constexpr int groups[] = {NID_X25519, NID_X9_62_prime256v1};
  WEFT_CHECK(SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION) == 1);
  WEFT_CHECK(SSL_CTX_set_max_proto_version(native, TLS1_3_VERSION) == 1);
  WEFT_CHECK(SSL_CTX_set1_curves(native, groups, std::size(groups)) == 1);
  SSL_CTX_set_app_data(native, this);
  SSL_CTX_set_mode(native, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_custom_verify(native, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify);
  SSL_CTX_set_retain_only_sha256_of_client_certs(native, 1);
  // One copy of a peer's chain, however many connections it has.
  SSL_CTX_set0_buffer_pool(native, CRYPTO_BUFFER_POOL_new());
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  if (!resume) {
    SSL_CTX_set_options(native, SSL_OP_NO_TICKET);
  } else if (is_server) {
    SSL_CTX_set_session_id_context(native, reinterpret_cast<const std::uint8_t*>(session_context.data()),
                                   session_context.size());
  } else {
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(native, keep_ticket);
  }
}

ssl_verify_result_t TlsContext::verify(SSL* ssl, std::uint8_t* alert) {
  const TlsContext& context = static_cast<TlsSession*>(SSL_get_app_data(ssl))->context_;
  const auto chain = parse_chain(SSL_get0_peer_certificates(ssl));
  const bssl::UniquePtr<X509_STORE_CTX> store(X509_STORE_CTX_new());
  WEFT_CHECK(store != nullptr);
  if (chain && sk_X509_num(chain.get()) > 0 &&
      X509_STORE_CTX_init(store.get(), context.roots_.get(), sk_X509_value(chain.get(), 0), chain.get()) ==
          1 &&
      X509_STORE_CTX_set_default(store.get(), context.is_server_ ? "ssl_client" : "ssl_server") == 1 &&
      X509_verify_cert(store.get()) == 1) {
    return ssl_verify_ok;
  }
  *alert = SSL_AD_UNKNOWN_CA;
  return ssl_verify_invalid;
}

int TlsContext::keep_ticket(SSL* ssl, SSL_SESSION* session) {
  TlsSession& connection = *static_cast<TlsSession*>(SSL_get_app_data(ssl));
  auto& tickets = connection.context_.tickets_[connection.peer_];
  if (tickets.size() == tickets_max) return 0;
  tickets.emplace_back(session);
  return 1;  // ours now
}

// The newest; nobody gets it again.
bssl::UniquePtr<SSL_SESSION> TlsContext::take_ticket(const Address& peer) {
  const auto found = tickets_.find(peer);
  if (found == tickets_.end() || found->second.empty()) return nullptr;
  auto ticket = std::move(found->second.back());
  found->second.pop_back();
  return ticket;
}

}  // namespace weft::bench
