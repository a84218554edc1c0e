// Keys. A private key lives in memory only (the CA's own file aside), is never logged, and its bytes are
// wiped when it dies. Any thread may use a key; it does not change.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct evp_pkey_st;  // BoringSSL's EVP_PKEY; its headers stay inside lib/tls

namespace weft::tls {

// Text that is wiped when it dies: PEM of a private key. Move-only, so that no copy is forgotten.
class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string_view text) : text_(text) {}
  ~SecretText();
  SecretText(SecretText&& other) noexcept;
  SecretText& operator=(SecretText&& other) noexcept;
  // Takes over memory that already holds the secret, so that no copy of it is left.
  static SecretText adopt(std::string&& text);
  std::string_view view() const { return text_; }

 private:
  std::string text_;
};

class PublicKey {
 public:
  // Takes over one reference.
  explicit PublicKey(evp_pkey_st* owned);
  // SubjectPublicKeyInfo, DER.
  static Result<PublicKey> from_der(std::string_view spki);
  std::string to_der() const;

  bool is_ec() const;  // P-256 or P-384; other curves are not parsed
  bool is_p256() const;
  bool is_rsa() const;
  unsigned bits() const;            // 256, 384, or the length of the RSA modulus
  std::string description() const;  // "ECDSA P-256", "RSA 2048"
  bool operator==(const PublicKey& other) const;
  evp_pkey_st* native() const { return key_.get(); }

 private:
  std::shared_ptr<evp_pkey_st> key_;
};

class PrivateKey {
 public:
  static Result<PrivateKey> generate();  // ECDSA P-256
  // PKCS#8 or the traditional form, unencrypted; ECDSA P-256/P-384 or RSA of 2048 bits or more.
  static Result<PrivateKey> from_pem(std::string_view pem);
  SecretText to_pem() const;  // PKCS#8; for the CA's key file alone

  PublicKey public_key() const;
  evp_pkey_st* native() const { return key_.get(); }

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  explicit PrivateKey(evp_pkey_st* owned) : key_(owned) {}
  std::unique_ptr<evp_pkey_st, Free> key_;
};

}  // namespace weft::tls
