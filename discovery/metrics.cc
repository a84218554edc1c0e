#include "discovery/metrics.h"

#include <chrono>
#include <string_view>

#include "base/text.h"

namespace weft::discovery {
namespace {

void add(std::string& out, std::string_view name, std::string_view type, std::string_view help,
         std::uint64_t value) {
  out += str_cat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n", name, " ", value, "\n");
}
void gauge(std::string& out, std::string_view name, std::string_view help, std::uint64_t value) {
  add(out, name, "gauge", help, value);
}
void counter(std::string& out, std::string_view name, std::string_view help, std::uint64_t value) {
  add(out, name, "counter", help, value);
}

}  // namespace

std::string metrics_text(const MetricsInput& input) {
  const ServerCounts& counts = input.server.counts();
  const State& state = input.server.state();
  std::string out;
  gauge(out, "weft_discovery_streams", "Sidecars connected.", input.server.streams());
  gauge(out, "weft_discovery_synced", "1 once the source was read.", input.server.synced() ? 1 : 0);
  gauge(out, "weft_discovery_pods", "Pods known.", state.index().count_pods());
  gauge(out, "weft_discovery_services", "Services known.", state.index().count_services());
  counter(out, "weft_discovery_streams_total", "Streams opened.", counts.streams_opened);
  counter(out, "weft_discovery_batches_total", "Batches of changes applied.", counts.batches);
  counter(out, "weft_discovery_updates_total", "Updates sent.", counts.updates);
  counter(out, "weft_discovery_resources_total", "Resources sent.", counts.resources);
  counter(out, "weft_discovery_acks_total", "Updates that sidecars took.", counts.acks);
  counter(out, "weft_discovery_updates_refused_total", "Updates that sidecars refused.",
          counts.updates_refused);
  counter(out, "weft_discovery_hellos_refused_total", "Streams of peers that are not the pod they named.",
          counts.hellos_refused);
  counter(out, "weft_discovery_handshakes_failed_total", "TLS handshakes that failed.",
          input.handshakes_failed);
  gauge(out, "weft_discovery_annotations_refused", "Wrong annotations at the moment.",
        state.policies().refused());
  counter(out, "weft_discovery_annotations_refused_total", "Wrong annotations seen.",
          counts.annotations_refused);
  gauge(out, "weft_discovery_broken_files", "Files with an error at the moment.", input.broken_files);
  counter(out, "weft_discovery_source_errors_total", "Errors of the source.", input.source_errors);
  counter(out, "weft_discovery_certificates_total", "Own certificates received.", input.certificates_issued);
  counter(out, "weft_discovery_certificate_failures_total", "Failed attempts to get one.",
          input.certificate_failures);
  if (input.certificate_expiry) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(input.certificate_expiry->time_since_epoch());
    gauge(out, "weft_discovery_certificate_expiry_timestamp_seconds", "End of the own certificate.",
          static_cast<std::uint64_t>(seconds.count()));
  }
  return out;
}

}  // namespace weft::discovery
