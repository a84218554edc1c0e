// An application's page of metrics: what is let through can be read again, says the same, and is never taken
// for the sidecar's own.
#include <string>

#include "sidecar/exposition.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr std::string_view own =
    "# HELP a Ours.\n# TYPE a counter\na{x=\"1\"} 1\n# HELP weft_ready Ours.\n# TYPE weft_ready "
    "gauge\nweft_ready 1\n";

std::size_t lines_with(std::string_view page, std::string_view beginning) {
  std::size_t count = page.starts_with(beginning) ? 1 : 0;
  const std::string wanted = "\n" + std::string(beginning);
  for (std::size_t at = page.find(wanted); at != std::string_view::npos; at = page.find(wanted, at + 1))
    ++count;
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto page = weft::sidecar::readable_exposition(weft::fuzz::text(data, size));
  if (!page) return 0;
  WEFT_CHECK(page->empty() || page->ends_with('\n'));
  WEFT_CHECK(lines_with(*page, "# EOF") == 0);
  const auto again = weft::sidecar::readable_exposition(*page);
  WEFT_CHECK(again && *again == *page);
  const std::string merged = weft::sidecar::merge_expositions(std::string(own), *page);
  WEFT_CHECK(merged.starts_with(own));
  WEFT_CHECK(lines_with(merged, "# TYPE a ") == 1 && lines_with(merged, "# HELP weft_ready ") == 1);
  WEFT_CHECK(lines_with(merged, "a{") == 1 && lines_with(merged, "weft_ready ") == 1);
  const auto readable = weft::sidecar::readable_exposition(merged);
  WEFT_CHECK(readable && readable->starts_with(own));
  return 0;
}
