// What the sources of lib/tls share about BoringSSL. Internal: not included from outside this folder.
#pragma once

#include <string>
#include <string_view>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>

#include "base/clock.h"
#include "base/result.h"

namespace weft::tls {

inline const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline std::string_view view_of(const unsigned char* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// BoringSSL's reason for the last failure on this thread, for people, and a clean error queue.
std::string take_library_error();
// An internal error with that reason.
Error library_error(std::string_view doing);

std::string bio_text(BIO* memory);  // all that was written to a memory BIO

// Seconds; a certificate's times have no finer ones. nullptr or broken: nothing.
Result<WallTime> from_asn1(const ASN1_TIME* time);
// Fills `out`. False when the time cannot be said in a certificate.
bool to_asn1(ASN1_TIME* out, WallTime time);

}  // namespace weft::tls
