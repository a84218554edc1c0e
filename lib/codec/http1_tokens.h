// The door to llhttp: a complete head, as HeadScan delimited it, into its fields. Pure; a piece of the codec.
#pragma once

#include <cstdint>
#include <string_view>

#include "codec/message.h"

namespace weft::codec {

// What llhttp made of a head, to be compared with what the parser makes of it: the two must agree.
struct HeadTokens {
  const char* problem = nullptr;  // null where llhttp accepted it
  int status = 0;
  bool chunked = false;
  bool has_length = false;
  std::uint64_t length = 0;
};

// Adds the fields of `head` to `headers`. llhttp knows a fixed list of methods, so it is shown a known one; a
// CONNECT is shown as such, for its target has another form.
HeadTokens tokenize_request(std::string_view head, std::string_view method, Headers& headers);
HeadTokens tokenize_response(std::string_view head, Headers& headers);
// Field lines and the empty line behind them.
HeadTokens tokenize_trailers(std::string_view lines, Headers& headers);

}  // namespace weft::codec
