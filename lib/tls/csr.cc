#include "tls/csr.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/check.h"
#include "base/text.h"
#include "tls/boring.h"
#include "tls/names.h"

namespace weft::tls {
namespace {

Status take_names(X509_REQ* request, CertificateRequest& out) {
  bssl::UniquePtr<STACK_OF(X509_EXTENSION)> extensions(X509_REQ_get_extensions(request));
  if (!extensions) {
    ERR_clear_error();
    return {};
  }
  int critical = 0;
  bssl::UniquePtr<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions.get(), NID_subject_alt_name, &critical, nullptr)));
  if (!names) {
    ERR_clear_error();
    if (critical == -1) return {};
    return fail(Code::invalid, "CSR: its subjectAltName is malformed or there twice");
  }
  auto parsed = read_names(names.get());
  if (!parsed) return fail(parsed.error().in("CSR"));
  out.uris = std::move(parsed->uris);
  out.dns_names = std::move(parsed->dns_names);
  out.other_names = std::move(parsed->other);
  return {};
}

std::string common_name_of(X509_REQ* request) {
  char text[256] = {};
  X509_NAME* subject = X509_REQ_get_subject_name(request);
  const int length = X509_NAME_get_text_by_NID(subject, NID_commonName, text, sizeof text);
  ERR_clear_error();
  return length <= 0 ? std::string() : std::string(text, static_cast<std::size_t>(length));
}

}  // namespace

Result<std::string> make_csr(const PrivateKey& key, const SpiffeId& id) {
  bssl::UniquePtr<X509_REQ> request(X509_REQ_new());
  bssl::UniquePtr<STACK_OF(X509_EXTENSION)> extensions(sk_X509_EXTENSION_new_null());
  auto names = make_names({id.to_string()}, {}, true);
  if (!request || !extensions || !names || !bssl::PushToStack(extensions.get(), std::move(names)) ||
      X509_REQ_set_version(request.get(), 0) != 1 || X509_REQ_set_pubkey(request.get(), key.native()) != 1 ||
      X509_REQ_add_extensions(request.get(), extensions.get()) != 1 ||
      X509_REQ_sign(request.get(), key.native(), EVP_sha256()) <= 0) {
    return fail(library_error("make a CSR"));
  }
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1)
    return fail(library_error("write a CSR"));
  return bio_text(bio.get());
}

Result<CertificateRequest> parse_csr(std::string_view pem) {
  if (pem.empty()) return fail(Code::invalid, "CSR: empty");
  if (pem.size() > csr_bytes_max) return fail(Code::limit, "CSR: more than 16 KiB");
  bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  WEFT_CHECK(bio != nullptr);
  bssl::UniquePtr<X509_REQ> request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request) {
    ERR_clear_error();
    return fail(Code::invalid, "CSR: not a PEM block 'CERTIFICATE REQUEST' with a PKCS#10 request in it");
  }
  bssl::UniquePtr<X509_REQ> second(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (second) return fail(Code::invalid, "CSR: two requests in one text");

  bssl::UniquePtr<EVP_PKEY> native_key(X509_REQ_get_pubkey(request.get()));
  if (!native_key)
    return fail(Code::invalid, str_cat("CSR: its public key is malformed: ", take_library_error()));
  auto key = PublicKey::from_der(PublicKey(bssl::UpRef(native_key).release()).to_der());
  if (!key) return fail(key.error().in("CSR"));
  if (X509_REQ_verify(request.get(), native_key.get()) != 1) {
    ERR_clear_error();
    return fail(Code::refused, "CSR: its signature does not fit its public key");
  }
  CertificateRequest out{*std::move(key), {}, {}, {}, common_name_of(request.get())};
  WEFT_TRY(take_names(request.get(), out));
  return out;
}

}  // namespace weft::tls
