// HTTP messages as values, common to HTTP/1 and HTTP/2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"

namespace weft::codec {

// What is taken from a peer: how large a head may be, and the trailers; and how many times as much a second
// as limits.h says of what HTTP/2 counts in Http2Limits.
struct PeerLimits {
  std::size_t head_bytes = limits::request_head_bytes_max;
  std::size_t head_fields = limits::headers_max;
  unsigned http2_rate_factor = 1;
};
// Between sidecars: heads that one of them admitted, with what it added, and the resets of all its callers.
inline constexpr PeerLimits mesh_peer_limits{limits::request_head_bytes_max + limits::mesh_head_bytes_room,
                                             limits::headers_max + limits::mesh_headers_room,
                                             limits::mesh_http2_rate_factor};

struct Header {
  std::string name;  // as it came: HTTP/1 keeps case and order; HTTP/2 is lower case
  std::string value;
  bool operator==(const Header&) const = default;
};

// Header fields in order, repeated ones included. Names compare without case.
class Headers {
 public:
  void add(std::string_view name, std::string_view value) {
    fields_.push_back(Header{std::string(name), std::string(value)});
  }
  // Replaces the first field of that name and drops the others; adds one when there is none.
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  // Removes all whose lower-case name begins with `prefix` (lower case).
  void remove_prefix(std::string_view prefix);
  std::optional<std::string_view> get(std::string_view name) const;  // the first
  bool has(std::string_view name) const { return get(name).has_value(); }
  std::size_t count(std::string_view name) const;
  // Whether a comma-separated list field (all its lines) has `token`, without case: "connection" has "close".
  bool list_has(std::string_view name, std::string_view token) const;

  const std::vector<Header>& fields() const { return fields_; }
  std::vector<Header>& fields() { return fields_; }
  bool empty() const { return fields_.empty(); }
  std::size_t size() const { return fields_.size(); }
  bool operator==(const Headers&) const = default;

 private:
  std::vector<Header> fields_;
};

enum class Version : std::uint8_t { http10, http11, http2 };

struct RequestHead {
  std::string method;
  std::string target;     // path and query (origin form), or "*"; for CONNECT the authority
  std::string authority;  // Host or :authority; empty when HTTP/1.0 gave none
  std::string scheme;     // "http" / "https"; of an absolute-form target or :scheme
  std::string protocol;   // :protocol of an extended CONNECT (RFC 8441)
  Version version = Version::http11;
  Headers headers;  // without Host/:authority and other pseudo headers
};

struct ResponseHead {
  int status = 0;      // 100-199 are interim heads
  std::string reason;  // HTTP/1 only
  Version version = Version::http11;
  Headers headers;
};

}  // namespace weft::codec
