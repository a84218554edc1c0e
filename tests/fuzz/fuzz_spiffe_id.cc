// SPIFFE ids: what is accepted is written exactly as it came, so that no two spellings mean one identity.
#include "base/spiffe_id.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = weft::fuzz::text(data, size);
  if (const auto id = weft::SpiffeId::parse(text)) {
    WEFT_CHECK(id->to_string() == text);
    WEFT_CHECK(!id->trust_domain.empty() && !id->name_space.empty() && !id->service_account.empty());
    WEFT_CHECK(weft::SpiffeId::parse(id->to_string()).value() == *id);
  }
  return 0;
}
