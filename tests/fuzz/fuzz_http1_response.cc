#include "tests/fuzz/http1_differential.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = weft::fuzz::text(data, size);
  for (const std::string_view method : {"GET", "HEAD", "CONNECT"}) {
    weft::fuzz::check_http1(weft::codec::Http1Parser::Role::response, method, bytes);
  }
  return 0;
}
