#include "tls/issue.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "tls/boring.h"
#include "tls/names.h"

namespace weft::tls {
namespace {

bool set_serial(X509* x509, const std::string& serial) {
  bssl::UniquePtr<BIGNUM> number(BN_bin2bn(bytes_of(serial), serial.size(), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509)) != nullptr;
}

bool add_name_entry(X509_NAME* name, int nid, const std::string& text) {
  return text.empty() || X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, bytes_of(text),
                                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool add_extension(X509* x509, int nid, void* value, bool critical) {
  return X509_add1_ext_i2d(x509, nid, value, critical ? 1 : 0, X509V3_ADD_APPEND) == 1;
}

bool add_basic_constraints(X509* x509, const CertificateTemplate& tmpl) {
  bssl::UniquePtr<BASIC_CONSTRAINTS> constraints(BASIC_CONSTRAINTS_new());
  if (!constraints) return false;
  constraints->ca = tmpl.is_ca ? 0xff : 0;  // DER: TRUE is all ones
  if (tmpl.is_ca && tmpl.path_length) {
    constraints->pathlen = ASN1_INTEGER_new();
    if (constraints->pathlen == nullptr || ASN1_INTEGER_set(constraints->pathlen, *tmpl.path_length) != 1) {
      return false;
    }
  }
  return add_extension(x509, NID_basic_constraints, constraints.get(), true);
}

bool add_usages(X509* x509, const CertificateTemplate& tmpl) {
  bssl::UniquePtr<ASN1_BIT_STRING> usage(ASN1_BIT_STRING_new());
  if (!usage) return false;
  // RFC 5280 § 4.2.1.3: digitalSignature is bit 0, keyCertSign 5, cRLSign 6.
  if (tmpl.is_ca) {
    if (ASN1_BIT_STRING_set_bit(usage.get(), 5, 1) != 1 || ASN1_BIT_STRING_set_bit(usage.get(), 6, 1) != 1)
      return false;
  } else if (ASN1_BIT_STRING_set_bit(usage.get(), 0, 1) != 1) {
    return false;
  }
  if (!add_extension(x509, NID_key_usage, usage.get(), true)) return false;
  if (!tmpl.server_auth && !tmpl.client_auth) return true;
  bssl::UniquePtr<EXTENDED_KEY_USAGE> extended(sk_ASN1_OBJECT_new_null());
  if (!extended) return false;
  // The objects are static.
  if (tmpl.server_auth && !sk_ASN1_OBJECT_push(extended.get(), OBJ_nid2obj(NID_server_auth))) return false;
  if (tmpl.client_auth && !sk_ASN1_OBJECT_push(extended.get(), OBJ_nid2obj(NID_client_auth))) return false;
  return add_extension(x509, NID_ext_key_usage, extended.get(), false);
}

// RFC 5280 § 4.2.1.2, method 1: SHA-1 over the public key's bits; a name, not a protection.
bssl::UniquePtr<ASN1_OCTET_STRING> key_id_of(X509* x509) {
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  bssl::UniquePtr<ASN1_OCTET_STRING> id(ASN1_OCTET_STRING_new());
  if (!id || X509_pubkey_digest(x509, EVP_sha1(), digest, &size) != 1 ||
      ASN1_OCTET_STRING_set(id.get(), digest, static_cast<int>(size)) != 1) {
    return nullptr;
  }
  return id;
}

bool add_key_ids(X509* x509, X509* issuer) {
  auto own = key_id_of(x509);
  if (!own || !add_extension(x509, NID_subject_key_identifier, own.get(), false)) return false;
  bssl::UniquePtr<ASN1_OCTET_STRING> parent(static_cast<ASN1_OCTET_STRING*>(
      issuer == nullptr ? nullptr : X509_get_ext_d2i(issuer, NID_subject_key_identifier, nullptr, nullptr)));
  if (!parent) parent = key_id_of(issuer == nullptr ? x509 : issuer);
  bssl::UniquePtr<AUTHORITY_KEYID> authority(AUTHORITY_KEYID_new());
  if (!parent || !authority) return false;
  authority->keyid = parent.release();
  return add_extension(x509, NID_authority_key_identifier, authority.get(), false);
}

bool fill(X509* x509, const CertificateTemplate& tmpl, const PublicKey& subject_key, X509* issuer) {
  X509_NAME* subject = X509_get_subject_name(x509);
  if (X509_set_version(x509, X509_VERSION_3) != 1 || !set_serial(x509, tmpl.serial) ||
      X509_set_pubkey(x509, subject_key.native()) != 1 ||
      !to_asn1(X509_getm_notBefore(x509), tmpl.not_before) ||
      !to_asn1(X509_getm_notAfter(x509), tmpl.not_after) ||
      !add_name_entry(subject, NID_organizationName, tmpl.organization) ||
      !add_name_entry(subject, NID_commonName, tmpl.common_name) ||
      X509_set_issuer_name(x509, issuer == nullptr ? subject : X509_get_subject_name(issuer)) != 1) {
    return false;
  }
  if (!add_basic_constraints(x509, tmpl) || !add_usages(x509, tmpl) || !add_key_ids(x509, issuer))
    return false;
  if (tmpl.uris.empty() && tmpl.dns_names.empty()) return true;
  const bool no_subject = X509_NAME_entry_count(subject) == 0;
  auto names = make_names(tmpl.uris, tmpl.dns_names, no_subject);
  return names && X509_add_ext(x509, names.get(), -1) == 1;
}

}  // namespace

Result<Certificate> sign_certificate(const CertificateTemplate& tmpl, const PublicKey& subject_key,
                                     const Certificate* issuer, const PrivateKey& issuer_key) {
  if (tmpl.serial.empty() || tmpl.serial.size() > 20 ||
      (static_cast<unsigned char>(tmpl.serial[0]) & 0x80) != 0) {
    return fail(Code::invalid, "certificate serial: 1 to 20 bytes with the top bit clear are needed");
  }
  if (tmpl.not_after <= tmpl.not_before)
    return fail(Code::invalid, "certificate would expire before it begins");
  bssl::UniquePtr<X509> x509(X509_new());
  if (!x509 || !fill(x509.get(), tmpl, subject_key, issuer == nullptr ? nullptr : issuer->native()) ||
      X509_sign(x509.get(), issuer_key.native(), EVP_sha256()) <= 0) {
    return fail(library_error("sign a certificate"));
  }
  return Certificate::from_native(x509.release());
}

std::string random_serial() {
  std::uint8_t bytes[16];
  WEFT_CHECK(RAND_bytes(bytes, sizeof bytes) == 1);
  bytes[0] &= 0x7f;
  bytes[0] |= 0x40;  // never a leading zero, so that all are equally long
  return std::string(view_of(bytes, sizeof bytes));
}

}  // namespace weft::tls
