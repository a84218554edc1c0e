// The containers and volumes that injection adds, as JSON. Pure; internal to injector/ (shows nlohmann's
// type).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "injector/json_access.h"
#include "injector/pod_patch.h"
#include "policy/annotations.h"

namespace weft::injector {

inline constexpr std::string_view init_name = "weft-init";
inline constexpr std::string_view sidecar_name = "weft-sidecar";
inline constexpr std::string_view probes_variable = "WEFT_PROBES";  // of the sidecar
inline constexpr std::string_view token_volume = "weft-token";
inline constexpr std::string_view bundle_volume = "weft-trust-bundle";
inline constexpr std::string_view state_volume = "weft-state";
inline constexpr std::array own_volumes = {token_volume, bundle_volume, state_volume};
inline constexpr std::int64_t sidecar_uid = 1337;

struct SidecarInputs {
  const InjectorConfig& config;
  const policy::PodSettings& settings;     // of the pod's annotations
  const Json& probes;                      // ProbeRewrites::originals
  const std::string& application_metrics;  // ScrapeRewrite::endpoint
  std::int64_t grace_seconds;              // spec.terminationGracePeriodSeconds
};

Json make_init_container(const InjectorConfig& config, const policy::PodSettings& settings);
Json make_sidecar_container(const SidecarInputs& inputs);
Json make_volumes(const InjectorConfig& config);  // a list
Json make_status(const InjectorConfig& config);

// Worker threads for a CPU limit: rounded down, at least 1. 0: no such quantity.
unsigned workers_for_cpu_limit(std::string_view quantity);

}  // namespace weft::injector
