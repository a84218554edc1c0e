// Certificate signing requests, as PEM and as the DER inside: reading never breaks, and what is accepted has
// a key of a kind that is signed for.
#include <string>

#include "base/text.h"
#include "tests/fuzz/fuzz.h"
#include "tls/csr.h"

namespace {

void check(std::string_view pem) {
  const auto request = weft::tls::parse_csr(pem);
  if (!request) {
    WEFT_CHECK(!request.error().message.empty() && request.error().message.size() < 1024);
    return;
  }
  WEFT_CHECK(request->key.is_ec() || (request->key.is_rsa() && request->key.bits() >= 2048));
  WEFT_CHECK(weft::tls::PublicKey::from_der(request->key.to_der()).value() == request->key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = weft::fuzz::text(data, size);
  check(bytes);
  const std::string digits = weft::base64_encode(bytes);
  std::string pem = "-----BEGIN CERTIFICATE REQUEST-----\n";
  for (std::size_t at = 0; at < digits.size(); at += 64) pem += digits.substr(at, 64) + "\n";
  check(pem + "-----END CERTIFICATE REQUEST-----\n");
  return 0;
}
