#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "base/text.h"
#include "tls/boring.h"
#include "tls/certificate.h"

namespace weft::tls {
namespace {

constexpr int depth_max = 8;

ChainError error_of(int code, const Certificate& at, const Certificate& leaf, WallTime now) {
  using Kind = ChainError::Kind;
  const std::string which = at == leaf ? std::string("peer certificate")
                                       : str_cat("certificate '", at.subject(), "' in the peer's chain");
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return {Kind::expired,
              str_cat(which, " expired at ", format_time(at.not_after()), ", now it is ", format_time(now))};
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {Kind::not_yet_valid, str_cat(which, " is not valid before ", format_time(at.not_before()),
                                           ", now it is ", format_time(now), " (compare the clocks)")};
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return {Kind::unknown_root,
              "no trust root signed the peer certificate (another mesh, or a root that was "
              "rotated away)"};
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_INVALID_CA:
      return {Kind::wrong_purpose,
              str_cat(which, " may not be used for this: ", X509_verify_cert_error_string(code))};
    default:
      return {Kind::malformed, str_cat(which, ": ", X509_verify_cert_error_string(code))};
  }
}

// X509-SVID § 4.1, § 4.3: a leaf is no CA and signs no certificates.
std::optional<ChainError> check_leaf(const Certificate& leaf) {
  if (leaf.is_ca())
    return ChainError{ChainError::Kind::wrong_purpose, "peer certificate is a CA certificate"};
  const std::uint32_t usage = X509_get_key_usage(leaf.native());  // all bits where there is no such extension
  if (usage != UINT32_MAX && (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0) {
    return ChainError{ChainError::Kind::wrong_purpose,
                      "peer certificate may sign certificates, a leaf must not"};
  }
  if (usage != UINT32_MAX && (usage & KU_DIGITAL_SIGNATURE) == 0) {
    return ChainError{ChainError::Kind::wrong_purpose,
                      "peer certificate lacks the key usage digitalSignature"};
  }
  return std::nullopt;
}

}  // namespace

Result<std::shared_ptr<const TrustBundle>> TrustBundle::from_pem(std::string_view pem,
                                                                 std::string trust_domain) {
  auto roots = parse_chain(pem);
  if (!roots) return fail(roots.error().in("trust bundle"));
  for (const auto& root : *roots) {
    if (!root.is_ca()) {
      return fail(Code::invalid, str_cat("trust bundle: '", root.subject(), "' is no CA certificate"));
    }
  }
  return std::make_shared<const TrustBundle>(*std::move(roots), std::move(trust_domain));
}

TrustBundle::TrustBundle(std::vector<Certificate> roots, std::string trust_domain)
    : roots_(std::move(roots)), trust_domain_(std::move(trust_domain)), store_(X509_STORE_new()) {
  WEFT_CHECK(store_ != nullptr);
  for (const auto& root : roots_) {
    X509_STORE_add_cert(store_, root.native());
    ERR_clear_error();  // the same root twice is no harm
  }
}

TrustBundle::~TrustBundle() { X509_STORE_free(store_); }

std::string TrustBundle::to_pem() const {
  std::string pem;
  for (const auto& root : roots_) pem += root.to_pem();
  return pem;
}

std::optional<ChainError> verify_chain(const std::vector<Certificate>& chain, const TrustBundle& bundle,
                                       Purpose purpose, WallTime now) {
  if (chain.empty())
    return ChainError{ChainError::Kind::malformed, "peer sent no certificate, or a malformed one"};
  const Certificate& leaf = chain.front();
  if (auto error = check_leaf(leaf)) return error;

  bssl::UniquePtr<STACK_OF(X509)> untrusted(sk_X509_new_null());
  bssl::UniquePtr<X509_STORE_CTX> context(X509_STORE_CTX_new());
  WEFT_CHECK(untrusted && context);
  for (std::size_t i = 1; i < chain.size(); ++i) {
    WEFT_CHECK(bssl::PushToStack(untrusted.get(), bssl::UpRef(chain[i].native())));
  }
  WEFT_CHECK(X509_STORE_CTX_init(context.get(), bundle.native(), leaf.native(), untrusted.get()) == 1);
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(param, std::chrono::system_clock::to_time_t(now));
  X509_VERIFY_PARAM_set_depth(param, depth_max);
  WEFT_CHECK(X509_VERIFY_PARAM_set_purpose(
                 param, purpose == Purpose::client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER) == 1);
  const bool holds = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (holds) return std::nullopt;

  const int code = X509_STORE_CTX_get_error(context.get());
  const Certificate* at = &leaf;
  X509* current = X509_STORE_CTX_get_current_cert(context.get());
  for (const auto& certificate : chain) {
    if (current != nullptr && X509_cmp(certificate.native(), current) == 0) at = &certificate;
  }
  for (const auto& root : bundle.roots()) {
    if (current != nullptr && X509_cmp(root.native(), current) == 0) at = &root;
  }
  return error_of(code, *at, leaf, now);
}

}  // namespace weft::tls
