// The application's own metrics, for the sidecar's metrics port: asked for at each scrape, over the pod's own
// address, bounded in size and time, and understood before they are passed on (exposition.h). Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/callback.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/simple_client.h"
#include "io/loop.h"

namespace weft::sidecar {

// Where they are: a port of the pod and a path.
struct ApplicationMetricsTarget {
  std::uint16_t port = 0;  // 0: there are none
  std::string path;
};
// WEFT_APPLICATION_METRICS: "8080/metrics"; empty: none.
Result<ApplicationMetricsTarget> parse_application_metrics(std::string_view text);

// How long to wait for the application, so that the sidecar's own figures come through whatever it does.
// `scrape_timeout`: Prometheus' X-Prometheus-Scrape-Timeout-Seconds; empty: it did not say.
Duration patience_for(std::string_view scrape_timeout);

class ApplicationMetrics {
 public:
  static constexpr std::size_t body_bytes_max = 4 * 1024 * 1024;
  // Prometheus' own is ten seconds, unless it says otherwise.
  static constexpr Duration patience_max = std::chrono::seconds(5);
  // More at once are no Prometheus': they get the sidecar's figures alone.
  static constexpr std::size_t at_once_max = 4;

  ApplicationMetrics(io::Loop& loop, const IpAddress& pod_ip, ApplicationMetricsTarget target);

  // Exactly once, never inline: a page that may stand behind ours, or why there is none. Nothing at all after
  // this died.
  using Done = Function<void(Result<std::string>)>;
  void ask(Duration patience, Done done);

  bool wanted() const { return target_.port != 0; }
  std::uint64_t asked() const { return asked_; }
  std::uint64_t failed() const { return failed_; }

 private:
  void answered(std::uint64_t id, const Result<http::FetchReply>& reply);

  struct Waiting {
    std::unique_ptr<http::Fetch> fetch;
    Done done;
  };

  io::Loop& loop_;
  IpAddress pod_ip_;
  ApplicationMetricsTarget target_;
  std::map<std::uint64_t, Waiting> waiting_;
  std::uint64_t asked_ = 0;
  std::uint64_t failed_ = 0;
  bool failing_ = false;  // a failure is logged when it begins
  Anchor anchor_;
};

}  // namespace weft::sidecar
