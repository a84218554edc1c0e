#include "tls/key.h"

#include <openssl/bytestring.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/check.h"
#include "base/text.h"
#include "tls/boring.h"

namespace weft::tls {
namespace {

constexpr std::size_t pem_bytes_max = 64 * 1024;

int curve_of(const EVP_PKEY* key) {
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(key);
  return ec == nullptr ? NID_undef : EC_GROUP_get_curve_name(EC_KEY_get0_group(ec));
}

// The kinds of key that are signed for or signed with here.
Status check_kind(const EVP_PKEY* key) {
  switch (EVP_PKEY_id(key)) {
    case EVP_PKEY_EC: {
      const int curve = curve_of(key);
      if (curve == NID_X9_62_prime256v1 || curve == NID_secp384r1) return {};
      return fail(Code::invalid, "ECDSA key on another curve than P-256 and P-384");
    }
    case EVP_PKEY_RSA:
      if (EVP_PKEY_bits(key) < 2048) {
        return fail(Code::invalid,
                    str_cat("RSA key of ", EVP_PKEY_bits(key), " bits, at least 2048 are needed"));
      }
      if (EVP_PKEY_bits(key) > 8192) return fail(Code::invalid, "RSA key of more than 8192 bits");
      return {};
    default:
      return fail(Code::invalid, "key is neither ECDSA nor RSA");
  }
}

// PEM_read_bio_* asks at the terminal when no callback is given; an encrypted key is an error here.
int no_password(char*, int, int, void*) { return 0; }

}  // namespace

SecretText::~SecretText() { OPENSSL_cleanse(text_.data(), text_.size()); }
SecretText SecretText::adopt(std::string&& text) {
  SecretText secret;
  secret.text_.swap(text);
  return secret;
}
SecretText::SecretText(SecretText&& other) noexcept { text_.swap(other.text_); }
SecretText& SecretText::operator=(SecretText&& other) noexcept {
  text_.swap(other.text_);  // the other one wipes what was here
  return *this;
}

PublicKey::PublicKey(evp_pkey_st* owned) : key_(owned, EVP_PKEY_free) { WEFT_CHECK(owned != nullptr); }

Result<PublicKey> PublicKey::from_der(std::string_view spki) {
  CBS cbs;
  CBS_init(&cbs, bytes_of(spki), spki.size());
  bssl::UniquePtr<EVP_PKEY> key(EVP_parse_public_key(&cbs));
  if (!key || CBS_len(&cbs) != 0) {
    return fail(Code::invalid, str_cat("public key is malformed: ", take_library_error()));
  }
  WEFT_TRY(check_kind(key.get()));
  return PublicKey(key.release());
}

std::string PublicKey::to_der() const {
  bssl::ScopedCBB cbb;
  std::uint8_t* der = nullptr;
  std::size_t size = 0;
  WEFT_CHECK(CBB_init(cbb.get(), 256) && EVP_marshal_public_key(cbb.get(), key_.get()) &&
             CBB_finish(cbb.get(), &der, &size));
  bssl::UniquePtr<std::uint8_t> owned(der);
  return std::string(view_of(der, size));
}

bool PublicKey::is_ec() const { return EVP_PKEY_id(key_.get()) == EVP_PKEY_EC; }
bool PublicKey::is_p256() const { return curve_of(key_.get()) == NID_X9_62_prime256v1; }
bool PublicKey::is_rsa() const { return EVP_PKEY_id(key_.get()) == EVP_PKEY_RSA; }
unsigned PublicKey::bits() const { return static_cast<unsigned>(EVP_PKEY_bits(key_.get())); }
std::string PublicKey::description() const {
  if (is_ec()) return str_cat("ECDSA P-", bits());
  return str_cat(is_rsa() ? "RSA " : "unknown kind of key, ", bits());
}
bool PublicKey::operator==(const PublicKey& other) const {
  return EVP_PKEY_cmp(key_.get(), other.key_.get()) == 1;
}

void PrivateKey::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Result<PrivateKey> PrivateKey::generate() {
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  if (!ec || !key || EC_KEY_generate_key(ec.get()) != 1 || EVP_PKEY_assign_EC_KEY(key.get(), ec.get()) != 1) {
    return fail(library_error("make an ECDSA P-256 key"));
  }
  ec.release();  // now owned by `key`
  return PrivateKey(key.release());
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  if (pem.size() > pem_bytes_max) return fail(Code::limit, "private key: more than 64 KiB of PEM");
  bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) {
    ERR_clear_error();
    return fail(
        Code::invalid,
        "private key: no unencrypted PEM key found (expected 'BEGIN PRIVATE KEY', 'BEGIN EC PRIVATE KEY' "
        "or 'BEGIN RSA PRIVATE KEY')");
  }
  if (auto kind = check_kind(key.get()); !kind) return fail(kind.error().in("private key"));
  return PrivateKey(key.release());
}

SecretText PrivateKey::to_pem() const {
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  WEFT_CHECK(bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                                  nullptr) == 1);
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  WEFT_CHECK(BIO_mem_contents(bio.get(), &data, &size) == 1);
  return SecretText(view_of(data, size));  // BoringSSL wipes the BIO's own memory
}

PublicKey PrivateKey::public_key() const {
  // Only the public half: a copy through its encoding, so that no reference to the private half escapes.
  CBS cbs;
  bssl::ScopedCBB cbb;
  std::uint8_t* der = nullptr;
  std::size_t size = 0;
  WEFT_CHECK(CBB_init(cbb.get(), 256) && EVP_marshal_public_key(cbb.get(), key_.get()) &&
             CBB_finish(cbb.get(), &der, &size));
  bssl::UniquePtr<std::uint8_t> owned(der);
  CBS_init(&cbs, der, size);
  return PublicKey(EVP_parse_public_key(&cbs));
}

}  // namespace weft::tls
