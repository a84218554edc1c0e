// A document, a line break, a patch: applying never breaks, and what comes out is a document again.
#include "injector/json_patch.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = weft::fuzz::text(data, size);
  const std::size_t line_end = text.find('\n');
  if (line_end == std::string_view::npos) return 0;
  const auto patched = weft::injector::apply_json_patch(text.substr(0, line_end), text.substr(line_end + 1));
  if (patched && patched->size() < 4096)
    WEFT_CHECK(weft::injector::apply_json_patch(*patched, "[]").has_value());
  return 0;
}
