#include "tests/fuzz/http1_differential.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weft::fuzz::check_http1(weft::codec::Http1Parser::Role::request, {}, weft::fuzz::text(data, size));
  return 0;
}
