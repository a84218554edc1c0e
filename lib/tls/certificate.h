// X.509 certificates and the roots that are trusted. Immutable values, cheap to copy, usable from any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/spiffe_id.h"
#include "tls/key.h"

struct x509_st;        // BoringSSL's X509
struct x509_store_st;  // and X509_STORE

namespace weft::tls {

class Certificate {
 public:
  static Result<Certificate> from_pem(std::string_view pem);  // exactly one
  static Result<Certificate> from_der(std::string_view der);
  // Takes over one reference.
  static Result<Certificate> from_native(x509_st* owned);

  // Subject alternative names.
  const std::vector<std::string>& uris() const;
  const std::vector<std::string>& dns_names() const;
  // The SPIFFE id of a leaf: exactly one URI, and a valid one. The error says what is wrong.
  Result<SpiffeId> spiffe_id() const;

  WallTime not_before() const;
  WallTime not_after() const;
  bool is_ca() const;
  bool is_self_signed() const;  // subject and issuer are the same and the signature holds
  std::string serial_hex() const;
  std::string subject() const;            // one line, for people
  const std::string& sha256_hex() const;  // of the DER
  const std::string& der() const;
  std::string to_pem() const;
  PublicKey public_key() const;
  bool operator==(const Certificate& other) const { return der() == other.der(); }
  x509_st* native() const;

 private:
  struct Data;
  explicit Certificate(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

// All certificates of a PEM text, in order; text between them is skipped. Errors: none at all, a broken one,
// more than 16, more than 256 KiB.
Result<std::vector<Certificate>> parse_chain(std::string_view pem);

// The roots of one trust domain; several live at once while a root is rotated.
class TrustBundle {
 public:
  // `pem`: one or more roots. Errors: none, one that is no CA certificate.
  static Result<std::shared_ptr<const TrustBundle>> from_pem(std::string_view pem, std::string trust_domain);
  TrustBundle(std::vector<Certificate> roots, std::string trust_domain);
  ~TrustBundle();
  TrustBundle(const TrustBundle&) = delete;
  TrustBundle& operator=(const TrustBundle&) = delete;

  const std::vector<Certificate>& roots() const { return roots_; }
  const std::string& trust_domain() const { return trust_domain_; }
  std::string to_pem() const;
  x509_store_st* native() const { return store_; }

 private:
  std::vector<Certificate> roots_;
  std::string trust_domain_;
  x509_store_st* store_;
};

// What a verified leaf may be used for.
enum class Purpose { client, server };

// Why a chain was refused; the kind chooses the TLS alert.
struct ChainError {
  enum class Kind { malformed, unknown_root, expired, not_yet_valid, wrong_purpose, wrong_identity };
  Kind kind;
  std::string message;
};

// Checks chain[0] against the bundle at time `now`: signatures up to a root, validity of every certificate,
// key usages for `purpose`, a leaf that is no CA. Nothing means it holds. Pure.
std::optional<ChainError> verify_chain(const std::vector<Certificate>& chain, const TrustBundle& bundle,
                                       Purpose purpose, WallTime now);

}  // namespace weft::tls
