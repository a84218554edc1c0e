#include "sidecar/settings.h"

#include "base/limits.h"
#include "base/text.h"

namespace weft::sidecar {
namespace {

class Reader {
 public:
  explicit Reader(const Function<std::optional<std::string>(std::string_view)>& lookup) : lookup_(lookup) {}

  std::optional<std::string> get(std::string_view name) const {
    auto value = lookup_(name);
    if (value && value->empty()) return std::nullopt;
    return value;
  }
  std::string or_default(std::string_view name, std::string fallback) const {
    return get(name).value_or(std::move(fallback));
  }
  Result<std::string> required(std::string_view name) const {
    if (auto value = get(name)) return *std::move(value);
    return fail(Code::invalid, str_cat("the environment lacks ", name,
                                       ": the injector sets it; was this pod injected by hand?"));
  }

 private:
  const Function<std::optional<std::string>(std::string_view)>& lookup_;
};

Result<ControlPlaneTarget> parse_target(std::string_view name, std::string_view text,
                                        std::string service_account) {
  const std::size_t colon = text.rfind(':');
  const auto port =
      colon == std::string_view::npos ? std::nullopt : parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port || colon == 0)
    return fail(Code::invalid, str_cat(name, ": expected HOST:PORT, found '", text, "'"));
  return ControlPlaneTarget{std::string(text.substr(0, colon)), *port, std::move(service_account)};
}

Status read_addresses(const Reader& env, Settings& settings) {
  WEFT_ASSIGN(const std::string ips, env.required("POD_IPS"));
  for (const std::string_view text : split(ips, ',')) {
    const auto ip = IpAddress::parse(trim(text));
    if (!ip) return fail(ip.error().in("POD_IPS"));
    settings.pod_ips.push_back(*ip);
  }
  const auto cidrs = env.get("WEFT_MESH_CIDRS");
  if (!cidrs) return {};
  for (const std::string_view text : split(*cidrs, ',')) {
    const auto cidr = Cidr::parse(trim(text));
    if (!cidr) return fail(cidr.error().in("WEFT_MESH_CIDRS"));
    settings.mesh_cidrs.push_back(*cidr);
  }
  return {};
}

Status read_behaviour(const Reader& env, Settings& settings) {
  if (const auto text = env.get("WEFT_CONCURRENCY")) {
    const auto workers = parse_number<unsigned>(*text);
    if (!workers || *workers < 1 || *workers > limits::workers_max) {
      return fail(Code::invalid,
                  str_cat("WEFT_CONCURRENCY: expected 1 to ", limits::workers_max, ", found '", *text, "'"));
    }
    settings.workers = *workers;
  }
  if (const auto text = env.get("WEFT_LOG_LEVEL")) {
    const auto level = log::parse_level(*text);
    if (!level) {
      return fail(
          Code::invalid,
          str_cat("WEFT_LOG_LEVEL: expected debug, info, warning, error or off, found '", *text, "'"));
    }
    settings.log_level = *level;
  }
  if (const auto text = env.get("WEFT_GRACE_SECONDS")) {
    const auto seconds = parse_number<std::uint32_t>(*text);
    if (!seconds)
      return fail(Code::invalid, str_cat("WEFT_GRACE_SECONDS: expected whole seconds, found '", *text, "'"));
    settings.grace = std::chrono::seconds(*seconds);
  }
  const std::string text = env.or_default("WEFT_OUTBOUND_POLICY", "allow-any");
  if (text != "allow-any" && text != "registry-only") {
    return fail(Code::invalid,
                str_cat("WEFT_OUTBOUND_POLICY: expected allow-any or registry-only, found '", text, "'"));
  }
  settings.outbound_policy =
      text == "allow-any" ? policy::OutboundPolicy::allow_any : policy::OutboundPolicy::registry_only;
  return {};
}

}  // namespace

Result<Settings> parse_settings(const Function<std::optional<std::string>(std::string_view)>& lookup) {
  const Reader env(lookup);
  Settings settings;
  WEFT_ASSIGN(settings.pod_name, env.required("POD_NAME"));
  WEFT_ASSIGN(settings.pod_namespace, env.required("POD_NAMESPACE"));
  WEFT_ASSIGN(settings.service_account, env.required("SERVICE_ACCOUNT"));
  settings.pod_uid = env.or_default("POD_UID", "");
  WEFT_TRY(read_addresses(env, settings));
  settings.trust_domain = env.or_default("WEFT_TRUST_DOMAIN", settings.trust_domain);
  settings.control_plane_namespace = env.or_default("WEFT_NAMESPACE", settings.control_plane_namespace);
  const std::string suffix = str_cat(".", settings.control_plane_namespace, ".svc");
  WEFT_ASSIGN(
      settings.ca,
      parse_target("WEFT_CA_ADDRESS", env.or_default("WEFT_CA_ADDRESS", str_cat("weft-ca", suffix, ":15012")),
                   "weft-ca"));
  WEFT_ASSIGN(settings.discovery, parse_target("WEFT_DISCOVERY_ADDRESS",
                                               env.or_default("WEFT_DISCOVERY_ADDRESS",
                                                              str_cat("weft-discovery", suffix, ":15011")),
                                               "weft-discovery"));
  settings.token_file = env.or_default("WEFT_TOKEN_FILE", settings.token_file);
  settings.bundle_file = env.or_default("WEFT_BUNDLE_FILE", settings.bundle_file);
  settings.state_folder = env.or_default("WEFT_STATE_FOLDER", settings.state_folder);
  settings.probes_json = env.or_default("WEFT_PROBES", "");
  settings.application_metrics = env.or_default("WEFT_APPLICATION_METRICS", "");
  WEFT_TRY(read_behaviour(env, settings));
  return settings;
}

}  // namespace weft::sidecar
