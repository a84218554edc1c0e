#include "sidecar/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace weft::sidecar {
namespace {

std::string_view direction_name(Direction direction) {
  return direction == Direction::inbound ? "inbound" : "outbound";
}

WallTime end_of(WallTime started, Duration duration) {
  return started + std::chrono::duration_cast<WallTime::duration>(duration);
}

// The short name in front of a reason ("bad-request: …"). What does not look like one of weft's own may come
// from anywhere, and would make a series each.
std::string_view reason_label(std::string_view reason) {
  constexpr std::size_t reason_bytes_max = 40;
  if (reason.empty()) return "-";
  reason = reason.substr(0, reason.find(':'));
  const bool plain =
      reason.size() <= reason_bytes_max && std::all_of(reason.begin(), reason.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      });
  return plain && !reason.empty() ? reason : other_value;
}

std::string_view grpc_label(std::string_view status) {
  const auto number = parse_number<unsigned>(status);
  return status.empty() ? status : number && *number <= 16 && status.size() <= 2 ? status : other_value;
}

std::string_view reporter_of(const PeersRecord& peers) {
  return peers.direction == Direction::inbound ? "destination" : "source";
}
std::string_view security_of(const PeersRecord& peers) { return peers.mutual_tls ? "mutual_tls" : "none"; }

}  // namespace

Metrics::Metrics(std::size_t workers, MetricLimits limits)
    : limits_(limits),
      requests_(workers, limits.series_max),
      tcp_(workers, limits.series_max),
      connections_(workers, limits.series_max),
      refused_(workers, limits.series_max),
      ended_(workers, limits.series_max),
      retries_(workers, limits.series_max),
      not_retried_(workers, limits.series_max),
      mirrored_(workers, limits.series_max),
      plain_(workers, limits.series_max) {}

WorkerMetrics::WorkerMetrics(Metrics& metrics, std::size_t worker)
    : requests_(metrics.requests_, worker),
      tcp_(metrics.tcp_, worker),
      connections_(metrics.connections_, worker),
      refused_(metrics.refused_, worker),
      ended_(metrics.ended_, worker),
      retries_(metrics.retries_, worker),
      not_retried_(metrics.not_retried_, worker),
      mirrored_(metrics.mirrored_, worker),
      plain_(metrics.plain_, worker) {}

void WorkerMetrics::key(std::initializer_list<std::string_view> fields) {
  key_.clear();
  for (const std::string_view& field : fields) {
    if (&field != fields.begin()) key_.push_back(label_separator);
    const std::size_t begin = key_.size();
    key_.append(field.substr(0, label_bytes_max));
    std::replace(key_.begin() + static_cast<std::ptrdiff_t>(begin), key_.end(), label_separator, '?');
  }
}

void WorkerMetrics::request_done(const RequestRecord& record) {
  const WallTime now = end_of(record.started, record.duration);
  const PeersRecord& peers = record.peers;
  std::array<char, 16> status;
  const auto status_end = std::to_chars(status.data(), status.data() + status.size(), record.status).ptr;
  key({reporter_of(peers), peers.source_identity, peers.source_workload, peers.destination_identity,
       peers.destination_workload, peers.service, peers.subset, record.grpc ? "grpc" : "http",
       security_of(peers), reason_label(record.reason),
       std::string_view(status.data(), static_cast<std::size_t>(status_end - status.data())),
       grpc_label(record.grpc_status)});
  RequestShard& shard = requests_.at(key_, now);
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(record.duration).count()));
  const auto bound = std::lower_bound(std::begin(duration_bounds_us), std::end(duration_bounds_us), us);
  shard.in_bucket[bound - std::begin(duration_bounds_us)].add(1);
  shard.duration_us.add(us);
  count_retries(record.tries, now);
}

TcpShard& WorkerMetrics::tcp(const PeersRecord& peers, std::string_view reason, WallTime now) {
  key({reporter_of(peers), peers.source_identity, peers.source_workload, peers.destination_identity,
       peers.destination_workload, peers.service, peers.subset, "tcp", security_of(peers),
       reason_label(reason)});
  return tcp_.at(key_, now);
}

void WorkerMetrics::tcp_opened(const PeersRecord& peers, WallTime now) { tcp(peers, {}, now).opened.add(1); }

void WorkerMetrics::tcp_closed(const ConnectionRecord& record) {
  const WallTime now = end_of(record.started, record.duration);
  TcpShard& shard = tcp(record.peers, record.reason, now);
  shard.closed.add(1);
  // Istio counts from the server's side: received is what the caller sent.
  shard.received_bytes.add(record.sent_bytes);
  shard.sent_bytes.add(record.received_bytes);
  count_retries(record.tries, now);
}

void WorkerMetrics::count_retries(const std::vector<TryRecord>& tries, WallTime now) {
  for (const TryRecord& attempt : tries) {
    if (!attempt.retry_class.empty()) {
      key({attempt.retry_class});
      retries_.at(key_, now).count.add(1);
    } else if (!attempt.not_retried.empty()) {
      key({attempt.not_retried});
      not_retried_.at(key_, now).count.add(1);
    }
  }
}

void WorkerMetrics::connection_opened(Direction direction, WallTime now) {
  key({direction_name(direction)});
  connections_.at(key_, now).count.add(1);
}

void WorkerMetrics::connection_refused(Direction direction, std::string_view reason, WallTime now) {
  key({direction_name(direction), reason_label(reason)});
  refused_.at(key_, now).count.add(1);
}

void WorkerMetrics::connection_ended(Direction direction, std::string_view reason, WallTime now) {
  key({direction_name(direction), reason_label(reason)});
  ended_.at(key_, now).count.add(1);
}

void WorkerMetrics::endpoint_ejected(WallTime now) {
  key({ejections_metric});
  plain_.at(key_, now).count.add(1);
}

void WorkerMetrics::request_mirrored(std::string_view outcome, WallTime now) {
  key({outcome});
  mirrored_.at(key_, now).count.add(1);
}

void WorkerMetrics::log_lines_dropped(std::uint64_t lines, WallTime now) {
  key({dropped_lines_metric});
  plain_.at(key_, now).count.add(lines);
}

}  // namespace weft::sidecar
