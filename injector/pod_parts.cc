#include "injector/pod_parts.h"

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"
#include "injector/scrape_rewrite.h"

namespace weft::injector {
namespace {

constexpr std::uint16_t health_port = 15021;
constexpr std::uint16_t metrics_port = 15090;

Json resources(std::string_view cpu_request, std::string_view memory_request) {
  return {{"requests", {{"cpu", cpu_request}, {"memory", memory_request}}}};
}

Json sidecar_resources(const InjectorConfig& config, const policy::PodSettings& settings) {
  // A request above its limit would be refused: a limit alone is the request as well.
  auto request = [](const auto& requested, const auto& limit, const std::string& otherwise) {
    return requested ? *requested : limit ? *limit : otherwise;
  };
  Json out = resources(request(settings.cpu_request, settings.cpu_limit, config.cpu_request),
                       request(settings.memory_request, settings.memory_limit, config.memory_request));
  if (settings.cpu_limit) out["limits"]["cpu"] = *settings.cpu_limit;
  if (settings.memory_limit) out["limits"]["memory"] = *settings.memory_limit;
  return out;
}

std::string list_text(const std::vector<policy::PortRange>& ranges) {
  std::vector<std::string> pieces;
  pieces.reserve(ranges.size());
  for (const auto& range : ranges) {
    pieces.push_back(range.first == range.last ? std::to_string(range.first)
                                               : str_cat(range.first, "-", range.last));
  }
  return join(pieces, ",");
}

Json init_arguments(const policy::PodSettings& settings) {
  Json arguments = {"init"};
  auto add = [&](std::string_view flag, const std::string& value) {
    if (!value.empty()) arguments.push_back(str_cat(flag, "=", value));
  };
  std::vector<std::string> cidrs, uids;
  for (const Cidr& cidr : settings.exclude_outbound_cidrs) cidrs.push_back(cidr.to_string());
  for (const std::uint32_t uid : settings.exclude_uids) uids.push_back(std::to_string(uid));
  add("--exclude-inbound-ports", list_text(settings.exclude_inbound_ports));
  add("--exclude-outbound-ports", list_text(settings.exclude_outbound_ports));
  add("--exclude-outbound-cidrs", join(cidrs, ","));
  add("--exclude-uids", join(uids, ","));
  return arguments;
}

Json container(std::string_view name, const InjectorConfig& config) {
  Json out = {{"name", name}, {"image", config.image}, {"command", {"weft-sidecar"}}};
  if (!config.image_pull_policy.empty()) out["imagePullPolicy"] = config.image_pull_policy;
  return out;
}

class Environment {
 public:
  void field(std::string_view name, std::string_view path) {
    variables_.push_back({{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}});
  }
  void value(std::string_view name, const std::string& text) {
    if (!text.empty()) variables_.push_back({{"name", name}, {"value", text}});
  }
  Json take() { return std::move(variables_); }

 private:
  Json variables_ = Json::array();
};

unsigned workers(const policy::PodSettings& settings) {
  if (settings.concurrency) return *settings.concurrency;
  return settings.cpu_limit ? workers_for_cpu_limit(*settings.cpu_limit) : 0;
}

Json environment(const SidecarInputs& inputs) {
  const InjectorConfig& config = inputs.config;
  const policy::PodSettings& settings = inputs.settings;
  Environment env;
  env.field("POD_NAME", "metadata.name");
  env.field("POD_NAMESPACE", "metadata.namespace");
  env.field("POD_UID", "metadata.uid");
  env.field("POD_IP", "status.podIP");
  env.field("POD_IPS", "status.podIPs");
  env.field("SERVICE_ACCOUNT", "spec.serviceAccountName");
  env.value("WEFT_TRUST_DOMAIN", config.trust_domain);
  env.value("WEFT_NAMESPACE", config.control_plane_namespace);
  env.value("WEFT_CA_ADDRESS", config.ca_address);
  env.value("WEFT_DISCOVERY_ADDRESS", config.discovery_address);
  env.value("WEFT_MESH_CIDRS", config.mesh_cidrs);
  std::string outbound_policy = config.outbound_policy;
  if (settings.outbound_policy) {
    const bool registry_only = *settings.outbound_policy == policy::OutboundPolicy::registry_only;
    outbound_policy = registry_only ? "registry-only" : "allow-any";
  }
  env.value("WEFT_OUTBOUND_POLICY", outbound_policy);
  if (const unsigned count = workers(settings); count > 0)
    env.value("WEFT_CONCURRENCY", std::to_string(count));
  env.value("WEFT_LOG_LEVEL", settings.log_level.value_or(""));
  env.value("WEFT_GRACE_SECONDS", std::to_string(inputs.grace_seconds));
  env.value(scrape_variable, inputs.application_metrics);
  if (!inputs.probes.empty()) env.value(probes_variable, to_text(inputs.probes));
  return env.take();
}

Json mount(std::string_view volume, std::string_view path, bool read_only) {
  Json out = {{"name", volume}, {"mountPath", path}};
  if (read_only) out["readOnly"] = true;
  return out;
}

Json ready_probe(int period_seconds, int failures) {
  return {{"httpGet", {{"path", "/ready"}, {"port", health_port}, {"scheme", "HTTP"}}},
          {"periodSeconds", period_seconds},
          {"failureThreshold", failures},
          {"timeoutSeconds", 3}};
}

}  // namespace

Json make_init_container(const InjectorConfig& config, const policy::PodSettings& settings) {
  Json out = container(init_name, config);
  out["args"] = init_arguments(settings);
  out["resources"] = resources("10m", "16Mi");
  out["securityContext"] = {{"runAsUser", 0},
                            {"runAsGroup", 0},
                            {"runAsNonRoot", false},
                            {"privileged", false},
                            {"allowPrivilegeEscalation", false},
                            {"readOnlyRootFilesystem", true},
                            {"capabilities", {{"add", {"NET_ADMIN", "NET_RAW"}}, {"drop", {"ALL"}}}}};
  return out;
}

Json make_sidecar_container(const SidecarInputs& inputs) {
  Json out = container(sidecar_name, inputs.config);
  out["args"] = {"run"};
  out["restartPolicy"] = "Always";
  out["env"] = environment(inputs);
  out["ports"] = {{{"name", "weft-metrics"}, {"containerPort", metrics_port}, {"protocol", "TCP"}}};
  // The containers behind it start once it is ready; ten minutes are for a control plane that is still coming
  // up.
  out["startupProbe"] = ready_probe(1, 600);
  out["readinessProbe"] = ready_probe(2, 3);
  out["lifecycle"] = {{"preStop", {{"exec", {{"command", {"weft-sidecar", "drain"}}}}}}};
  out["resources"] = sidecar_resources(inputs.config, inputs.settings);
  out["securityContext"] = {{"runAsUser", sidecar_uid},
                            {"runAsGroup", sidecar_uid},
                            {"runAsNonRoot", true},
                            {"privileged", false},
                            {"allowPrivilegeEscalation", false},
                            {"readOnlyRootFilesystem", true},
                            {"capabilities", {{"drop", {"ALL"}}}}};
  out["volumeMounts"] = {mount(token_volume, "/var/run/secrets/weft/token", true),
                         mount(bundle_volume, "/var/run/secrets/weft/bundle", true),
                         mount(state_volume, "/var/lib/weft", false)};
  return out;
}

Json make_volumes(const InjectorConfig& config) {
  const Json token = {
      {"path", "token"}, {"audience", config.token_audience}, {"expirationSeconds", config.token_seconds}};
  return {{{"name", token_volume}, {"projected", {{"sources", {{{"serviceAccountToken", token}}}}}}},
          {{"name", bundle_volume}, {"configMap", {{"name", config.bundle_config_map}}}},
          {{"name", state_volume}, {"emptyDir", {{"medium", "Memory"}, {"sizeLimit", "64Mi"}}}}};
}

Json make_status(const InjectorConfig& config) {
  return {
      {"version", config.version}, {"initContainers", {init_name, sidecar_name}}, {"volumes", own_volumes}};
}

unsigned workers_for_cpu_limit(std::string_view quantity) {
  const bool milli = quantity.ends_with('m');
  if (milli) quantity.remove_suffix(1);
  const std::string_view whole = quantity.substr(0, quantity.find('.'));
  const auto number = parse_number<std::uint64_t>(whole);
  if (!number) return 0;
  const std::uint64_t cores = milli ? *number / 1000 : *number;
  return static_cast<unsigned>(std::clamp<std::uint64_t>(cores, 1, limits::workers_max));
}

}  // namespace weft::injector
