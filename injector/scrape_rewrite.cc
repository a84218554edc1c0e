#include "injector/scrape_rewrite.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/text.h"
#include "injector/json_patch.h"
#include "policy/path.h"

namespace weft::injector {
namespace {

constexpr std::string_view prefix = "prometheus.io/";
constexpr std::uint16_t sidecar_port = 15090;
constexpr std::string_view sidecar_path = "/metrics";
constexpr std::uint16_t ports_of_the_sidecar[] = {15000, 15001, 15006, 15021};

std::string value_of(const policy::Annotations& annotations, std::string_view name) {
  const auto found = annotations.find(str_cat(prefix, name));
  return found == annotations.end() ? std::string() : found->second;
}

// As Prometheus' usual relabelling has it: without the annotation, a port that the pod declares.
std::optional<std::uint16_t> declared_port(const Json& pod) {
  const Json* containers = member_at(pod, {"spec", "containers"});
  if (containers == nullptr || !containers->is_array()) return std::nullopt;
  for (const Json& container : *containers) {
    const Json* ports = member(container, "ports");
    if (ports == nullptr || !ports->is_array()) continue;
    for (const Json& port : *ports) {
      const Json* number = member(port, "containerPort");
      if (number != nullptr && number->is_number_unsigned() && number->get<std::uint64_t>() <= 65535)
        return number->get<std::uint16_t>();
    }
  }
  return std::nullopt;
}

bool is_ours(std::uint16_t port) {
  return std::find(std::begin(ports_of_the_sidecar), std::end(ports_of_the_sidecar), port) !=
         std::end(ports_of_the_sidecar);
}

std::string not_merged(std::string_view name, std::string_view expected, std::string_view found) {
  return str_cat("prometheus.io/", name, ": expected ", expected, ", found '", printable(found),
                 "': the application's metrics are not merged into the sidecar's");
}

Json replace(std::string_view name, std::string_view value) {
  return {{"op", "add"},
          {"path", str_cat("/metadata/annotations/", pointer_escape(str_cat(prefix, name)))},
          {"value", value}};
}

}  // namespace

ScrapeRewrite rewrite_scrape(const Json& pod, const policy::Annotations& annotations) {
  ScrapeRewrite out;
  if (value_of(annotations, "scrape") != "true") return out;
  if (const std::string scheme = value_of(annotations, "scheme"); !scheme.empty() && scheme != "http") {
    out.warnings.push_back(not_merged("scheme", "http", scheme));
    return out;
  }
  const std::string text = value_of(annotations, "port");
  const auto port = text.empty() ? declared_port(pod) : parse_number<std::uint16_t>(text);
  if (port == sidecar_port) return out;  // whoever wrote it knows of the sidecar
  if (!port || *port == 0 || is_ours(*port)) {
    out.warnings.push_back(not_merged("port", "a port of the application", text));
    return out;
  }
  std::string path = value_of(annotations, "path");
  if (path.empty()) path = "/metrics";
  if (!policy::fits_request_line(path)) {
    out.warnings.push_back(not_merged("path", "a path without blanks", path));
    return out;
  }
  out.endpoint = str_cat(*port, path.starts_with('/') ? "" : "/", path);
  out.operations.push_back(replace("port", std::to_string(sidecar_port)));
  out.operations.push_back(replace("path", sidecar_path));
  return out;
}

}  // namespace weft::injector
