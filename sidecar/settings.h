// What a sidecar is told at start, by its environment (the injector writes it). Everything that may change
// while it runs comes over the discovery stream instead. A value, read once by main.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/callback.h"
#include "base/log.h"
#include "base/result.h"
#include "policy/snapshot.h"

namespace weft::sidecar {

// Ports (they follow Istio's numbers).
struct Ports {
  std::uint16_t admin = 15000;
  std::uint16_t outbound = 15001;
  std::uint16_t inbound = 15006;
  std::uint16_t health = 15021;
  std::uint16_t metrics = 15090;
};

// Where a control-plane service listens, and whom to expect there.
struct ControlPlaneTarget {
  std::string host;
  std::uint16_t port = 0;
  std::string service_account;  // in the control plane's namespace
};

struct Settings {
  std::string pod_name;
  std::string pod_namespace;
  std::string pod_uid;
  std::string service_account;
  std::vector<IpAddress> pod_ips;
  std::string trust_domain = "cluster.local";
  std::string control_plane_namespace = "weft-system";
  ControlPlaneTarget ca;
  ControlPlaneTarget discovery;
  std::string token_file = "/var/run/secrets/weft/token/token";
  std::string bundle_file = "/var/run/secrets/weft/bundle/root-cert.pem";
  std::string state_folder = "/var/lib/weft";
  std::vector<Cidr> mesh_cidrs;
  policy::OutboundPolicy outbound_policy =
      policy::OutboundPolicy::allow_any;  // until discovery says otherwise
  std::chrono::seconds grace{30};         // the pod's terminationGracePeriodSeconds
  unsigned workers = 2;
  log::Level log_level = log::Level::info;
  std::string probes_json;          // WEFT_PROBES: the application's own probes, rewritten to the health port
  std::string application_metrics;  // WEFT_APPLICATION_METRICS: "8080/metrics"; empty: there are none
  Ports ports;
};

// `lookup` answers with the value of an environment variable, or nothing. Errors name the variable and what
// was expected of it.
Result<Settings> parse_settings(const Function<std::optional<std::string>(std::string_view)>& lookup);

}  // namespace weft::sidecar
