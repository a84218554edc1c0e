// The application's own metrics, where the pod is annotated for Prometheus (prometheus.io/scrape, port,
// path): the annotations are pointed to the sidecar's metrics port, which answers in plaintext also where the
// application's port is strict, and the sidecar is told where the application's are. Pure; internal to
// injector/.
#pragma once

#include <string>
#include <vector>

#include "injector/json_access.h"
#include "policy/annotations.h"

namespace weft::injector {

inline constexpr std::string_view scrape_variable = "WEFT_APPLICATION_METRICS";  // of the sidecar

struct ScrapeRewrite {
  Json operations = Json::array();
  std::string endpoint;  // "8080/metrics"; empty: nothing is to be merged
  std::vector<std::string> warnings;
};

// What cannot be merged (another scheme, a wrong port) is left as it is, with a warning.
ScrapeRewrite rewrite_scrape(const Json& pod, const policy::Annotations& annotations);

}  // namespace weft::injector
