// The CA's command line as a value. CLI11 is in main.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/log.h"
#include "base/result.h"
#include "ca/server.h"
#include "ca/template.h"

namespace weft::ca {

// As typed.
struct Flags {
  std::vector<std::string> listen{"15012"};
  std::vector<std::string> metrics{"15014"};
  std::string trust_domain = "cluster.local";
  std::string key_file;
  std::string ca_folder;
  std::string jwks;
  std::vector<std::string> audiences{"weft-ca", "istio-ca"};
  std::string issuer;
  std::string leaf_lifetime = "24h";
  std::string bundle_out;
  std::string account = "weft-system/weft-ca";
  std::vector<std::string> dns_names;
  std::vector<std::string> control_plane;
  std::string log_level = "info";
};

struct Endpoint {
  Address address;
  bool optional = false;  // the IPv6 half of a bare PORT: a machine may have no IPv6
};

struct Settings {
  std::vector<Endpoint> listen;
  std::vector<Endpoint> metrics;
  IssuePolicy policy;
  ServingIdentity serving;
  log::Level log_level = log::Level::info;
};

// What the flags mean, or which of them is wrong and what was expected.
Result<Settings> read_flags(const Flags& flags);

// "15012" (all addresses, both families) or "ADDRESS:PORT".
Result<std::vector<Endpoint>> parse_listen(std::string_view text);
// "90s", "45m", "24h", "7d".
Result<Duration> parse_lifetime(std::string_view text);

}  // namespace weft::ca
