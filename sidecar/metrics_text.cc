// The metrics as Prometheus reads them.
#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "base/spiffe_id.h"
#include "sidecar/metrics.h"

namespace weft::sidecar {
namespace {

constexpr std::string_view unknown = "unknown";
constexpr std::size_t versions_shown_max = 200;

// ---- text format ----

void append_escaped(std::string& out, std::string_view value) {
  for (const char c : value.substr(0, label_bytes_max)) {
    if (c == '\\' || c == '"')
      out.append(1, '\\').append(1, c);
    else if (c == '\n')
      out.append("\\n");
    else if (c >= 0x20 && c < 0x7f)
      out.push_back(c);
    else
      out.push_back('?');
  }
}

using Label = std::pair<std::string_view, std::string_view>;

class Writer {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    out_.append("# HELP ").append(name).append(" ").append(help);
    out_.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  void sample(std::string_view name, std::span<const Label> labels, std::string_view value) {
    out_.append(name);
    if (!labels.empty()) out_.push_back('{');
    for (const Label& label : labels) {
      if (&label != labels.data()) out_.push_back(',');
      out_.append(label.first).append("=\"");
      append_escaped(out_, label.second);
      out_.push_back('"');
    }
    if (!labels.empty()) out_.push_back('}');
    out_.append(" ").append(value).append("\n");
  }
  void sample(std::string_view name, std::span<const Label> labels, std::uint64_t value) {
    sample(name, labels, std::string_view(std::to_string(value)));
  }
  void single(std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
    family(name, type, help);
    sample(name, {}, value);
  }
  void append(std::string_view text) { out_.append(text); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string decimal(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed).ptr;
  return std::string(text.data(), end);
}

// ---- labels of Istio's standard metrics ----

// Fields of a key, in this order; TCP has no code and no gRPC status.
enum Field {
  reporter,
  source,
  source_workload,
  destination,
  destination_workload,
  service,
  subset,
  protocol,
  security,
  flags,
  code,
  grpc
};

struct ServiceName {
  std::string_view name = unknown;
  std::string_view name_space = unknown;
  std::string host = std::string(unknown);
};
// "namespace/name:port" and its DNS name.
ServiceName service_name(std::string_view resource) {
  if (resource == other_value) return {other_value, other_value, std::string(other_value)};
  const std::size_t slash = resource.find('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view name_space = resource.substr(0, slash);
  const std::string_view name = resource.substr(slash + 1, resource.find(':') - slash - 1);
  return {name, name_space, str_cat(name, ".", name_space, ".svc.cluster.local")};
}

std::string_view or_unknown(std::string_view value) { return value.empty() ? unknown : value; }

std::string name_space_of(std::string_view principal) {
  if (principal == other_value) return std::string(other_value);
  const auto id = SpiffeId::parse(principal);
  return id ? id->name_space : std::string(unknown);
}

struct StandardLabels {
  explicit StandardLabels(std::span<const std::string_view> fields)
      : destination_service(service_name(fields[service])),
        source_name_space(name_space_of(fields[source])),
        destination_name_space(name_space_of(fields[destination])) {
    labels = {
        {"reporter", fields[reporter]},
        {"source_principal", or_unknown(fields[source])},
        {"source_workload", or_unknown(fields[source_workload])},
        {"source_workload_namespace", source_name_space},
        {"destination_principal", or_unknown(fields[destination])},
        {"destination_workload", or_unknown(fields[destination_workload])},
        {"destination_workload_namespace", destination_name_space},
        {"destination_service", destination_service.host},
        {"destination_service_name", destination_service.name},
        {"destination_service_namespace", destination_service.name_space},
        {"destination_version", or_unknown(fields[subset])},
        {"request_protocol", fields[protocol]},
        {"connection_security_policy", fields[security]},
        {"response_flags", fields[flags]},
    };
    if (fields.size() <= code) return;
    labels.emplace_back("response_code", fields[code]);
    labels.emplace_back("grpc_response_status", fields[grpc]);
  }
  StandardLabels(const StandardLabels&) = delete;
  StandardLabels& operator=(const StandardLabels&) = delete;

  ServiceName destination_service;
  std::string source_name_space;
  std::string destination_name_space;
  std::vector<Label> labels;  // into the members above
};

template <class Shard, class Value>
std::uint64_t sum(const Series<Shard>& series, Value value) {
  std::uint64_t total = 0;
  for (const Shard& shard : series.shards) total += value(shard);
  return total;
}

struct RequestTotals {
  std::array<std::uint64_t, duration_bounds + 1> in_bucket{};
  std::uint64_t count = 0;
  std::uint64_t duration_us = 0;
};

RequestTotals totals_of(const Series<RequestShard>& series) {
  RequestTotals totals;
  for (const RequestShard& shard : series.shards) {
    totals.duration_us += shard.duration_us.value();
    for (std::size_t i = 0; i < totals.in_bucket.size(); ++i) {
      totals.in_bucket[i] += shard.in_bucket[i].value();
      totals.count += shard.in_bucket[i].value();
    }
  }
  return totals;
}

// Counts and histogram are of one look at the shards, so that they agree.
void write_requests(Writer& out, SeriesFamily<RequestShard>& family, std::int64_t oldest_s) {
  constexpr std::string_view total = "istio_requests_total";
  constexpr std::string_view bucket = "istio_request_duration_milliseconds_bucket";
  Writer histogram;
  out.family(total, "counter", "Requests, by what became of them.");
  histogram.family("istio_request_duration_milliseconds", "histogram", "Duration of requests.");
  family.visit(
      oldest_s, [&](const std::vector<std::string_view>& values, const Series<RequestShard>& series) {
        StandardLabels standard(values);
        const RequestTotals totals = totals_of(series);
        out.sample(total, standard.labels, totals.count);
        histogram.sample("istio_request_duration_milliseconds_sum", standard.labels,
                         std::string_view(decimal(static_cast<double>(totals.duration_us) / 1000)));
        histogram.sample("istio_request_duration_milliseconds_count", standard.labels, totals.count);
        std::uint64_t up_to = 0;
        standard.labels.emplace_back("le", "");
        for (std::size_t i = 0; i <= duration_bounds; ++i) {
          up_to += totals.in_bucket[i];
          const std::string bound =
              i == duration_bounds ? "+Inf" : decimal(static_cast<double>(duration_bounds_us[i]) / 1000);
          standard.labels.back().second = bound;
          histogram.sample(bucket, standard.labels, up_to);
        }
      });
  out.append(histogram.take());
}

struct TcpMetric {
  std::string_view name;
  std::string_view help;
  Counter TcpShard::*value;
};
constexpr TcpMetric tcp_metrics[] = {
    {"istio_tcp_connections_opened_total", "TCP connections joined to their upstream.", &TcpShard::opened},
    {"istio_tcp_connections_closed_total", "TCP connections that ended.", &TcpShard::closed},
    {"istio_tcp_sent_bytes_total", "Bytes of responses on TCP connections.", &TcpShard::sent_bytes},
    {"istio_tcp_received_bytes_total", "Bytes of requests on TCP connections.", &TcpShard::received_bytes},
};

void write_tcp(Writer& out, SeriesFamily<TcpShard>& family, std::int64_t oldest_s) {
  for (const TcpMetric& metric : tcp_metrics) {
    out.family(metric.name, "counter", metric.help);
    family.visit(oldest_s, [&](const std::vector<std::string_view>& values, const Series<TcpShard>& series) {
      const StandardLabels standard(values);
      out.sample(metric.name, standard.labels,
                 sum(series, [&metric](const TcpShard& shard) { return (shard.*metric.value).value(); }));
    });
  }
}

std::uint64_t count_of(const Series<CountShard>& series) {
  return sum(series, [](const CountShard& shard) { return shard.count.value(); });
}

// A family whose labels are the fields of its key.
void write_counts(Writer& out, SeriesFamily<CountShard>& family, std::int64_t oldest_s, std::string_view name,
                  std::string_view help, std::initializer_list<std::string_view> label_names) {
  out.family(name, "counter", help);
  family.visit(oldest_s, [&](const std::vector<std::string_view>& values, const Series<CountShard>& series) {
    std::vector<Label> labels;
    for (const std::string_view label : label_names) labels.emplace_back(label, values[labels.size()]);
    out.sample(name, labels, count_of(series));
  });
}

void write_process(Writer& out, const ProcessMetrics& process) {
  out.family("weft_build_info", "gauge", "The version of this sidecar.");
  const Label version[] = {{"version", process.version}};
  out.sample("weft_build_info", version, 1);
  if (process.certificate_not_after) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(process.certificate_not_after->time_since_epoch())
            .count();
    out.single("weft_certificate_expiry_timestamp_seconds", "gauge", "When the certificate in force expires.",
               static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0)));
  }
  out.single("weft_certificate_renewals_total", "counter", "Certificates taken from the CA.",
             process.certificate_renewals);
  out.single("weft_certificate_renewals_failed_total", "counter",
             "Attempts to get a certificate that failed.", process.certificate_renewals_failed);
  out.single("weft_discovery_connected", "gauge", "1 while the configuration stream is up.",
             process.discovery_connected ? 1 : 0);
  out.single("weft_config_updates_total", "counter", "Updates of the configuration that were taken.",
             process.config_updates);
  out.single("weft_config_updates_refused_total", "counter",
             "Updates that were refused; the ones before stay.", process.config_updates_refused);
  out.single("weft_config_resources", "gauge", "Resources of the configuration held.",
             process.config_versions.size());
  out.family("weft_config_resource_info", "gauge", "Version of each resource held.");
  std::size_t shown = 0;
  for (const auto& [resource, held] : process.config_versions) {
    if (shown++ == versions_shown_max) break;
    const Label labels[] = {{"resource", resource}, {"version", held}};
    out.sample("weft_config_resource_info", labels, 1);
  }
  out.single("weft_application_scrapes_total", "counter",
             "Times the application's own metrics were asked for.", process.application_scrapes);
  out.single("weft_application_scrapes_failed_total", "counter",
             "Of them, those that brought nothing: this page is without the application's metrics.",
             process.application_scrapes_failed);
  out.single("weft_pool_connections", "gauge", "HTTP connections to upstreams that are open.",
             process.pool_connections);
  out.single("weft_pool_idle_connections", "gauge", "Of them, those kept for the next request.",
             process.pool_idle_connections);
  out.single("weft_ready", "gauge", "1 when /ready says so.", process.ready ? 1 : 0);
  out.single("weft_draining", "gauge", "1 from the beginning of a drain on.", process.draining ? 1 : 0);
}

}  // namespace

std::string Metrics::render(const ProcessMetrics& process, WallTime now) {
  const auto since = now - std::chrono::duration_cast<WallTime::duration>(limits_.idle_max);
  const std::int64_t oldest_s =
      std::chrono::duration_cast<std::chrono::seconds>(since.time_since_epoch()).count();
  constexpr std::int64_t always = 0;  // few by nature: these never expire
  Writer out;
  write_requests(out, requests_, oldest_s);
  write_tcp(out, tcp_, oldest_s);
  write_counts(out, connections_, always, "weft_connections_total", "Connections accepted.", {"direction"});
  write_counts(out, refused_, oldest_s, "weft_connections_refused_total", "Connections refused, by reason.",
               {"direction", "reason"});
  write_counts(out, ended_, oldest_s, "weft_connections_ended_total",
               "Connections that served and were ended by the sidecar itself, by reason.",
               {"direction", "reason"});
  write_counts(out, retries_, always, "weft_retries_total", "Tries made again, by what allowed it.",
               {"class"});
  write_counts(out, not_retried_, always, "weft_retries_withheld_total",
               "Failed tries that could have been made again, by what kept them from it.", {"reason"});
  write_counts(out, mirrored_, always, "weft_mirrored_requests_total",
               "Copies of requests for weft.mesh/mirror, by what became of them.", {"outcome"});
  for (const std::string_view name : {dropped_lines_metric, ejections_metric}) {
    std::uint64_t value = 0;
    plain_.visit(always, [&](const std::vector<std::string_view>& values, const Series<CountShard>& series) {
      if (values[0] == name) value = count_of(series);
    });
    out.single(name, "counter",
               name == ejections_metric ? "Endpoints taken out for failing."
                                        : "Lines of the access log that found no room.",
               value);
  }
  out.single("weft_metric_series", "gauge", "Label sets held for requests and TCP connections.",
             requests_.size() + tcp_.size());
  write_process(out, process);
  return out.take();
}

}  // namespace weft::sidecar
