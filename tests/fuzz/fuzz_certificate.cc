// Certificates, as DER and as PEM: what is accepted survives being written again, an identity means exactly
// one URI, and nobody is trusted whom no root signed.
#include "tests/fuzz/fuzz.h"
#include "tls/certificate.h"

namespace {

using namespace weft;

void check(const tls::Certificate& certificate) {
  WEFT_CHECK(tls::Certificate::from_der(certificate.der()).value() == certificate);
  WEFT_CHECK(tls::Certificate::from_pem(certificate.to_pem()).value() == certificate);
  WEFT_CHECK(certificate.sha256_hex().size() == 64);
  certificate.subject();
  certificate.serial_hex();
  certificate.is_self_signed();
  if (const auto id = certificate.spiffe_id()) {
    WEFT_CHECK(certificate.uris().size() == 1);
    WEFT_CHECK(certificate.uris().front() == id->to_string());
  }
  const tls::TrustBundle nobody({}, "cluster.local");
  WEFT_CHECK(
      tls::verify_chain({certificate}, nobody, tls::Purpose::client, certificate.not_before()).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = weft::fuzz::text(data, size);
  if (const auto certificate = weft::tls::Certificate::from_der(bytes)) check(*certificate);
  if (const auto chain = weft::tls::parse_chain(bytes)) {
    WEFT_CHECK(!chain->empty() && chain->size() <= 16);
    for (const auto& certificate : *chain) check(certificate);
  }
  return 0;
}
