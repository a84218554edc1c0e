#include "tls/digest.h"

#include <cstdint>

#include <openssl/sha.h>

namespace weft::tls {

std::string sha1(std::string_view bytes) {
  std::string digest(SHA_DIGEST_LENGTH, '\0');
  SHA1(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
       reinterpret_cast<std::uint8_t*>(digest.data()));
  return digest;
}

}  // namespace weft::tls
