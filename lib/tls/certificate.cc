#include "tls/certificate.h"

#include <openssl/digest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "base/text.h"
#include "tls/boring.h"
#include "tls/names.h"

namespace weft::tls {
namespace {

constexpr std::size_t der_bytes_max = 64 * 1024;
constexpr std::size_t chain_pem_bytes_max = 256 * 1024;
constexpr std::size_t chain_length_max = 16;

std::string to_der(X509* x509) {
  std::uint8_t* der = nullptr;
  const int size = i2d_X509(x509, &der);
  if (size <= 0) return {};
  bssl::UniquePtr<std::uint8_t> owned(der);
  return std::string(view_of(der, static_cast<std::size_t>(size)));
}

}  // namespace

struct Certificate::Data {
  bssl::UniquePtr<X509> x509;
  std::string der;
  std::string sha256;
  AlternativeNames names;
  WallTime not_before;
  WallTime not_after;
  bool is_ca = false;
};

Result<Certificate> Certificate::from_native(x509_st* owned) {
  auto data = std::make_shared<Data>();
  data->x509.reset(owned);
  X509* x509 = owned;
  data->der = to_der(x509);
  if (data->der.empty()) return fail(Code::invalid, "certificate cannot be encoded");
  std::uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes_of(data->der), data->der.size(), digest);
  data->sha256 = hex_encode(view_of(digest, sizeof digest));

  int critical = 0;
  bssl::UniquePtr<GENERAL_NAMES> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, &critical, nullptr)));
  if (!names && critical != -1) {
    ERR_clear_error();
    return fail(Code::invalid, critical == -2 ? "certificate has two subjectAltName extensions"
                                              : "subjectAltName of the certificate is malformed");
  }
  if (names) {
    WEFT_ASSIGN(data->names, read_names(names.get()));
  }
  WEFT_ASSIGN(data->not_before, from_asn1(X509_get0_notBefore(x509)));
  WEFT_ASSIGN(data->not_after, from_asn1(X509_get0_notAfter(x509)));
  data->is_ca = X509_check_ca(x509) != 0;
  if ((X509_get_extension_flags(x509) & EXFLAG_INVALID) != 0) {
    ERR_clear_error();
    return fail(Code::invalid, "an extension of the certificate is malformed");
  }
  return Certificate(std::move(data));
}

Result<Certificate> Certificate::from_der(std::string_view der) {
  if (der.size() > der_bytes_max) return fail(Code::limit, "certificate of more than 64 KiB");
  const unsigned char* cursor = bytes_of(der);
  bssl::UniquePtr<X509> x509(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  if (!x509) return fail(Code::invalid, str_cat("certificate is malformed: ", take_library_error()));
  if (cursor != bytes_of(der) + der.size()) return fail(Code::invalid, "bytes follow the certificate");
  return from_native(x509.release());
}

Result<Certificate> Certificate::from_pem(std::string_view pem) {
  WEFT_ASSIGN(auto chain, parse_chain(pem));
  if (chain.size() != 1) {
    return fail(Code::invalid, str_cat("expected one certificate, found ", chain.size()));
  }
  return chain.front();
}

const std::vector<std::string>& Certificate::uris() const { return data_->names.uris; }
const std::vector<std::string>& Certificate::dns_names() const { return data_->names.dns_names; }

Result<SpiffeId> Certificate::spiffe_id() const {
  if (uris().size() != 1) {
    return fail(Code::invalid, str_cat("certificate has ", uris().empty() ? "no URI" : "several URIs",
                                       " in its subjectAltName, exactly one SPIFFE id is needed"));
  }
  return SpiffeId::parse(uris().front());
}

WallTime Certificate::not_before() const { return data_->not_before; }
WallTime Certificate::not_after() const { return data_->not_after; }
bool Certificate::is_ca() const { return data_->is_ca; }

bool Certificate::is_self_signed() const {
  X509* x509 = native();
  bssl::UniquePtr<EVP_PKEY> key(X509_get_pubkey(x509));
  const bool yes = X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0 && key &&
                   X509_verify(x509, key.get()) == 1;
  ERR_clear_error();
  return yes;
}

std::string Certificate::serial_hex() const {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(native());
  return hex_encode(
      view_of(ASN1_STRING_get0_data(serial), static_cast<std::size_t>(ASN1_STRING_length(serial))));
}

std::string Certificate::subject() const {
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  WEFT_CHECK(bio != nullptr);
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(native()), 0, XN_FLAG_RFC2253);
  return printable(bio_text(bio.get()), 256);
}

const std::string& Certificate::sha256_hex() const { return data_->sha256; }
const std::string& Certificate::der() const { return data_->der; }

std::string Certificate::to_pem() const {
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  WEFT_CHECK(bio && PEM_write_bio_X509(bio.get(), native()) == 1);
  return bio_text(bio.get());
}

PublicKey Certificate::public_key() const { return PublicKey(X509_get_pubkey(native())); }
x509_st* Certificate::native() const { return data_->x509.get(); }

Result<std::vector<Certificate>> parse_chain(std::string_view pem) {
  if (pem.size() > chain_pem_bytes_max) return fail(Code::limit, "more than 256 KiB of certificates");
  bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  WEFT_CHECK(bio != nullptr);
  std::vector<Certificate> chain;
  for (;;) {
    bssl::UniquePtr<X509> x509(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!x509) break;
    if (chain.size() == chain_length_max) return fail(Code::limit, "more than 16 certificates");
    auto certificate = Certificate::from_native(x509.release());
    if (!certificate) return fail(certificate.error().in(str_cat("certificate ", chain.size() + 1)));
    chain.push_back(*std::move(certificate));
  }
  // The text ends with PEM_R_NO_START_LINE; anything else is a block that could not be read.
  const std::uint32_t error = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  const std::string reason = take_library_error();
  if (!at_end)
    return fail(Code::invalid, str_cat("certificate ", chain.size() + 1, " is malformed: ", reason));
  if (chain.empty()) return fail(Code::invalid, "no 'BEGIN CERTIFICATE' found");
  return chain;
}

}  // namespace weft::tls
