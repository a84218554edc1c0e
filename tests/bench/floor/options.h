// The command line of weft-bench-floor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/result.h"

namespace weft::bench {

enum class Role {
  client,  // plaintext in, mTLS out
  server,  // mTLS in, plaintext out
  plain,   // plaintext in and out
};

struct FloorOptions {
  Role role = Role::plain;
  Address listen;
  std::optional<Address> to;             // nothing: to where the connection was going (SO_ORIGINAL_DST)
  std::optional<std::uint16_t> to_port;  // instead of the original port
  std::string certificate_file;          // chain, leaf first
  std::string key_file;
  std::string ca_file;
  bool resume = false;
};

extern const char* const floor_usage;

Result<FloorOptions> parse_floor_options(int argc, char** argv);

}  // namespace weft::bench
