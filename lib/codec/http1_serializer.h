// HTTP/1.1 messages into bytes, header order and case preserved. Pure; the caller decides the framing. Fields
// that concern the connection (Host, Connection, Keep-Alive, Transfer-Encoding, …) are left out and written
// from the arguments instead. CR, LF and NUL in a value become spaces; a name must be a token (checked).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "codec/message.h"

namespace weft::codec {

struct Http1Write {
  enum class Length : std::uint8_t { as_it_is, drop, zero };
  bool chunked = false;              // adds `Transfer-Encoding: chunked`
  std::string_view connection;       // value of the Connection field; none when empty
  bool keep_upgrade = false;         // the Upgrade field stays
  Length length = Length::as_it_is;  // what becomes of Content-Length
};

// "METHOD target HTTP/1.1" with Host first. `target` is written as it is; for CONNECT it is the authority.
void append_request_head(std::string& out, const RequestHead& head, const Http1Write& options);
// Always HTTP/1.1 (RFC 9110 § 6.2: the version is the sender's own). An empty reason gets the registered one.
void append_response_head(std::string& out, const ResponseHead& head, const Http1Write& options);
// The line in front of a chunk of `bytes` > 0; behind the chunk comes "\r\n".
void append_chunk_line(std::string& out, std::size_t bytes);
inline constexpr std::string_view chunk_end = "\r\n";
// The last chunk with the trailers.
void append_last_chunk(std::string& out, const Headers& trailers);

std::string_view reason_phrase(int status);  // "" where none is registered

}  // namespace weft::codec
