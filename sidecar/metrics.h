// What the sidecar counts, as Prometheus text. Istio's names and labels where the meaning is the same (so
// that dashboards fit), weft_* for the rest.
//
// Each worker counts into shards of its own with relaxed atomics; a scrape adds them up. Label sets are
// bounded: beyond the limit everything more is counted under "other", and a series that nobody touched for an
// hour goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "sidecar/metric_series.h"
#include "sidecar/records.h"

namespace weft::sidecar {

// What is not counted by workers: the control thread fills it for each scrape.
struct ProcessMetrics {
  std::string version;                            // of this program
  std::optional<WallTime> certificate_not_after;  // nothing: none yet
  std::uint64_t certificate_renewals = 0;
  std::uint64_t certificate_renewals_failed = 0;
  bool discovery_connected = false;
  std::uint64_t config_updates = 0;  // taken
  std::uint64_t config_updates_refused = 0;
  std::map<std::string, std::string> config_versions;  // resource → version; the first few hundred are shown
  bool ready = false;
  bool draining = false;
  std::uint64_t application_scrapes = 0;  // of the application's own metrics
  std::uint64_t application_scrapes_failed = 0;
  std::uint64_t pool_connections = 0;  // to upstreams, for HTTP, of all workers
  std::uint64_t pool_idle_connections = 0;
};

struct MetricLimits {
  std::size_t series_max = 1000;  // of each family
  Duration idle_max = std::chrono::hours(1);
};

// Bounds in microseconds, as Envoy has them.
inline constexpr std::uint64_t duration_bounds_us[] = {
    500,        1'000,       5'000,       10'000,        25'000,       50'000,     100'000,
    250'000,    500'000,     1'000'000,   2'500'000,     5'000'000,    10'000'000, 30'000'000,
    60'000'000, 300'000'000, 600'000'000, 1'800'000'000, 3'600'000'000};
inline constexpr std::size_t duration_bounds = std::size(duration_bounds_us);

inline constexpr std::size_t label_bytes_max = 256;
inline constexpr std::string_view ejections_metric = "weft_endpoint_ejections_total";
inline constexpr std::string_view dropped_lines_metric = "weft_access_log_dropped_lines_total";

struct alignas(64) RequestShard {
  Counter duration_us;
  Counter in_bucket[duration_bounds + 1];  // the last: above all bounds; their sum is istio_requests_total
};
struct alignas(64) TcpShard {
  Counter opened;
  Counter closed;
  Counter sent_bytes;
  Counter received_bytes;
};
struct alignas(64) CountShard {
  Counter count;
};

// One for the process. Any thread.
class Metrics {
 public:
  explicit Metrics(std::size_t workers, MetricLimits limits = {});
  // Drops idle series and writes the rest (text format 0.0.4).
  std::string render(const ProcessMetrics& process, WallTime now);

 private:
  friend class WorkerMetrics;
  MetricLimits limits_;
  SeriesFamily<RequestShard> requests_;
  SeriesFamily<TcpShard> tcp_;
  SeriesFamily<CountShard> connections_;  // direction
  SeriesFamily<CountShard> refused_;      // direction, reason
  SeriesFamily<CountShard> ended_;        // direction, reason
  SeriesFamily<CountShard> retries_;      // class
  SeriesFamily<CountShard> not_retried_;  // reason
  SeriesFamily<CountShard> mirrored_;     // outcome
  SeriesFamily<CountShard> plain_;        // name of a counter without labels
};

// One worker's hand on them; on its thread. `metrics` outlives it.
class WorkerMetrics {
 public:
  WorkerMetrics(Metrics& metrics, std::size_t worker);

  void request_done(const RequestRecord& record);
  // A TCP connection was joined to its upstream, so that its labels are known; tcp_closed follows.
  void tcp_opened(const PeersRecord& peers, WallTime now);
  void tcp_closed(const ConnectionRecord& record);
  void connection_opened(Direction direction, WallTime now);
  void connection_refused(Direction direction, std::string_view reason, WallTime now);
  void connection_ended(Direction direction, std::string_view reason, WallTime now);
  void endpoint_ejected(WallTime now);
  void request_mirrored(std::string_view outcome, WallTime now);
  void log_lines_dropped(std::uint64_t lines, WallTime now);

 private:
  TcpShard& tcp(const PeersRecord& peers, std::string_view reason, WallTime now);
  void count_retries(const std::vector<TryRecord>& tries, WallTime now);
  void key(std::initializer_list<std::string_view> fields);

  SeriesCache<RequestShard> requests_;
  SeriesCache<TcpShard> tcp_;
  SeriesCache<CountShard> connections_;
  SeriesCache<CountShard> refused_;
  SeriesCache<CountShard> ended_;
  SeriesCache<CountShard> retries_;
  SeriesCache<CountShard> not_retried_;
  SeriesCache<CountShard> mirrored_;
  SeriesCache<CountShard> plain_;
  std::string key_;  // scratch: a request that finds its series allocates nothing
};

}  // namespace weft::sidecar
