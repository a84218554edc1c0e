// Detection is monotonic: once it has said something, more bytes do not change it.
#include "base/limits.h"
#include "codec/detect.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Kind = weft::codec::Detection::Kind;
  const std::string_view bytes = weft::fuzz::text(data, size);
  const Kind whole = weft::codec::detect(bytes).kind;
  WEFT_CHECK(whole != Kind::need_more || size < weft::limits::detect_bytes_max);
  const std::size_t step = 1 + size / 64;
  for (std::size_t prefix = 0; prefix < size; prefix += step) {
    const Kind part = weft::codec::detect(bytes.substr(0, prefix)).kind;
    WEFT_CHECK(part == Kind::need_more || part == whole);
  }
  return 0;
}
