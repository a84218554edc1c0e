// Whole and cut, the same bytes are the same messages.
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/codec/http1_transcript.h"

namespace weft::fuzz {

inline void check_http1(codec::Http1Parser::Role role, std::string_view method, std::string_view bytes) {
  std::string expected;
  bool first = true;
  SeededRandom random(bytes.size());
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random.below(bound)); };
  codec::for_each_cutting(bytes, 2, below, [&](const std::vector<std::string_view>& pieces) {
    codec::Http1Transcript transcript(role, method);
    for (const std::string_view piece : pieces) transcript.feed(piece);
    transcript.finish();
    if (first) expected = transcript.text();
    first = false;
    WEFT_CHECK(transcript.text() == expected);
  });
}

}  // namespace weft::fuzz
