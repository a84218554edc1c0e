// The injector's command line as a value. Parsing addresses is here; CLI11 is in main.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/log.h"
#include "base/result.h"
#include "injector/pod_patch.h"

namespace weft::injector {

struct InjectorSettings {
  InjectorConfig config;
  std::string listen = "15017";  // PORT (every address, both families) or ADDRESS:PORT
  std::string metrics_listen = "15014";
  std::string own_ca_address;  // where the injector itself finds the CA; empty: as the sidecars
  std::string token_file = "/var/run/secrets/weft/token/token";
  std::string bundle_file = "/var/run/secrets/weft/bundle/root-cert.pem";
  log::Level log_level = log::Level::info;
};

// Addresses of the control plane that were not given: its Services, in its own namespace.
void fill_addresses(InjectorConfig& config);

struct ListenAddress {
  Address address;
  bool optional = false;  // the IPv6 one of PORT: a machine may have no IPv6
};
Result<std::vector<ListenAddress>> parse_listen(std::string_view text);

}  // namespace weft::injector
