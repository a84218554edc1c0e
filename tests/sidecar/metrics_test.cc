#include "sidecar/metrics.h"

#include <atomic>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include "base/text.h"

namespace weft::sidecar {
namespace {

using namespace std::chrono_literals;

const WallTime start{std::chrono::seconds(1'790'000'000)};

RequestRecord request(int status = 200, Duration duration = 3ms) {
  RequestRecord record;
  record.peers.direction = Direction::inbound;
  record.peers.source_identity = "spiffe://cluster.local/ns/default/sa/hello";
  record.peers.destination_identity = "spiffe://cluster.local/ns/web/sa/world";
  record.peers.source_workload = "hello";
  record.peers.destination_workload = "world-v1";
  record.peers.service = "web/world:80";
  record.peers.subset = "v1";
  record.peers.mutual_tls = true;
  record.started = start;
  record.status = status;
  record.duration = duration;
  return record;
}

// The samples of a rendering by name and labels; checks the form of every line on the way.
std::map<std::string, std::string> samples(const std::string& text) {
  std::map<std::string, std::string> out;
  EXPECT_TRUE(text.ends_with('\n'));
  std::string family;
  for (const std::string_view line : split(std::string_view(text).substr(0, text.size() - 1), '\n')) {
    if (line.starts_with("# TYPE ")) family = std::string(line.substr(7, line.find(' ', 7) - 7));
    if (line.starts_with("# ")) continue;
    const std::size_t space = line.rfind(' ');
    const std::string name(line.substr(0, space));
    EXPECT_TRUE(name.starts_with(family)) << line << " stands under " << family;
    EXPECT_TRUE(out.emplace(name, line.substr(space + 1)).second) << "twice: " << line;
  }
  return out;
}

std::map<std::string, std::string> scrape(Metrics& metrics, WallTime now = start) {
  return samples(metrics.render(ProcessMetrics{}, now));
}

std::uint64_t total(const std::map<std::string, std::string>& scraped, std::string_view name) {
  std::uint64_t sum = 0;
  for (const auto& [key, value] : scraped) {
    if (key == name || key.starts_with(std::string(name) + "{")) sum += *parse_number<std::uint64_t>(value);
  }
  return sum;
}

constexpr const char* labels =
    "{reporter=\"destination\",source_principal=\"spiffe://cluster.local/ns/default/sa/hello\","
    "source_workload=\"hello\",source_workload_namespace=\"default\",destination_principal=\"spiffe://"
    "cluster.local/ns/web/sa/world\","
    "destination_workload=\"world-v1\",destination_workload_namespace=\"web\",destination_service=\"world."
    "web.svc.cluster.local\","
    "destination_service_name=\"world\",destination_service_namespace=\"web\",destination_version=\"v1\","
    "request_protocol=\"http\",connection_security_policy=\"mutual_tls\",response_flags=\"-\",response_code="
    "\"200\","
    "grpc_response_status=\"\"";

TEST(Metrics, ARequestIsCountedUnderIstiosNamesAndLabels) {
  Metrics metrics(1);
  WorkerMetrics worker(metrics, 0);
  worker.request_done(request());
  worker.request_done(request());
  worker.request_done(request(503));
  const auto scraped = scrape(metrics);
  EXPECT_EQ(scraped.at("istio_requests_total" + std::string(labels) + "}"), "2");
  EXPECT_EQ(total(scraped, "istio_requests_total"), 3u);
}

TEST(Metrics, TheHistogramAddsUpAndItsBoundsAreInclusive) {
  Metrics metrics(1);
  WorkerMetrics worker(metrics, 0);
  for (const Duration duration :
       {Duration(0), Duration(500us), Duration(501us), Duration(1s), Duration(2h)}) {
    worker.request_done(request(200, duration));
  }
  const auto scraped = scrape(metrics);
  const std::string name = "istio_request_duration_milliseconds";
  const auto bucket = [&](const std::string& le) {
    return scraped.at(name + "_bucket" + labels + ",le=\"" + le + "\"}");
  };
  EXPECT_EQ(bucket("0.5"), "2");
  EXPECT_EQ(bucket("1"), "3");
  EXPECT_EQ(bucket("500"), "3");
  EXPECT_EQ(bucket("1000"), "4");
  EXPECT_EQ(bucket("3600000"), "4");
  EXPECT_EQ(bucket("+Inf"), "5");
  EXPECT_EQ(scraped.at(name + "_count" + labels + "}"), "5");
  EXPECT_EQ(scraped.at(name + "_sum" + labels + "}"), "7201001.001");
}

TEST(Metrics, WorkersCountForThemselvesAndAScrapeAddsUp) {
  constexpr int each = 20'000;
  Metrics metrics(3);
  std::atomic<bool> done{false};
  std::thread scraper([&] {
    while (!done) (void)metrics.render(ProcessMetrics{}, start);
  });
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 3; ++i) {
    threads.emplace_back([&metrics, i] {
      WorkerMetrics worker(metrics, i);
      for (int n = 0; n < each; ++n) worker.request_done(request(n % 2 == 0 ? 200 : 404));
    });
  }
  for (std::thread& thread : threads) thread.join();
  done = true;
  scraper.join();
  const auto scraped = scrape(metrics);
  EXPECT_EQ(total(scraped, "istio_requests_total"), 3u * each);
  EXPECT_EQ(scraped.at("istio_requests_total" + std::string(labels) + "}"), std::to_string(3 * each / 2));
}

TEST(Metrics, TcpConnectionsAreCountedAtBothEndsOfTheirLife) {
  Metrics metrics(1);
  WorkerMetrics worker(metrics, 0);
  ConnectionRecord record;
  record.peers.service = "db/mysql:3306";
  record.started = start;
  record.sent_bytes = 10;
  record.received_bytes = 1000;
  worker.tcp_opened(record.peers, start);
  worker.tcp_opened(record.peers, start);
  worker.tcp_closed(record);
  const auto scraped = scrape(metrics);
  EXPECT_EQ(total(scraped, "istio_tcp_connections_opened_total"), 2u);
  EXPECT_EQ(total(scraped, "istio_tcp_connections_closed_total"), 1u);
  EXPECT_EQ(total(scraped, "istio_tcp_received_bytes_total"), 10u) << "from the caller";
  EXPECT_EQ(total(scraped, "istio_tcp_sent_bytes_total"), 1000u) << "to the caller";
}

TEST(Metrics, RetriesRefusalsAndEjectionsHaveTheirCounters) {
  Metrics metrics(1);
  WorkerMetrics worker(metrics, 0);
  RequestRecord record = request();
  record.tries = {
      {"a", "connect-failure", "proved", {}}, {"b", "503", "idempotent", {}}, {"c", "200", "", {}}};
  worker.request_done(record);
  worker.connection_opened(Direction::inbound, start);
  worker.connection_refused(Direction::inbound, "mtls-required", start);
  worker.connection_ended(Direction::inbound, "age-limit", start);
  worker.endpoint_ejected(start);
  worker.request_mirrored("answered", start);
  worker.log_lines_dropped(7, start);
  const auto scraped = scrape(metrics);
  EXPECT_EQ(scraped.at("weft_retries_total{class=\"proved\"}"), "1");
  EXPECT_EQ(scraped.at("weft_retries_total{class=\"idempotent\"}"), "1");
  EXPECT_EQ(scraped.at("weft_connections_total{direction=\"inbound\"}"), "1");
  EXPECT_EQ(scraped.at("weft_connections_refused_total{direction=\"inbound\",reason=\"mtls-required\"}"),
            "1");
  EXPECT_EQ(scraped.at("weft_connections_ended_total{direction=\"inbound\",reason=\"age-limit\"}"), "1");
  EXPECT_EQ(scraped.at("weft_endpoint_ejections_total"), "1");
  EXPECT_EQ(scraped.at("weft_mirrored_requests_total{outcome=\"answered\"}"), "1");
  EXPECT_EQ(scraped.at("weft_access_log_dropped_lines_total"), "7");
}

TEST(Metrics, BeyondTheLimitEverythingMoreIsCountedAsOther) {
  Metrics metrics(2, MetricLimits{.series_max = 3});
  WorkerMetrics first(metrics, 0);
  WorkerMetrics second(metrics, 1);
  for (int i = 0; i < 50; ++i) {
    RequestRecord record = request();
    record.peers.subset = str_cat("v", i);
    (i % 2 == 0 ? first : second).request_done(record);
  }
  const auto scraped = scrape(metrics);
  EXPECT_EQ(total(scraped, "istio_requests_total"), 50u);
  std::size_t series = 0;
  std::string other;
  for (const auto& [key, value] : scraped) {
    if (!key.starts_with("istio_requests_total")) continue;
    ++series;
    if (key.find("destination_version=\"other\"") != std::string::npos) other = value;
  }
  EXPECT_EQ(series, 4u);
  EXPECT_EQ(other, "47");
}

TEST(Metrics, WhatCallersChooseMakesNoSeries) {
  Metrics metrics(1);
  WorkerMetrics worker(metrics, 0);
  for (int i = 0; i < 100; ++i) {
    RequestRecord record = request();
    record.path = str_cat("/", i);
    record.method = str_cat("M", i);
    record.authority = std::to_string(i);
    record.grpc_status = std::to_string(1000 + i);
    record.reason = str_cat("a text from anywhere ", i);
    worker.request_done(record);
  }
  std::size_t series = 0;
  for (const auto& [key, value] : scrape(metrics)) series += key.starts_with("istio_requests_total") ? 1 : 0;
  EXPECT_EQ(series, 1u);
}

TEST(Metrics, ASeriesExpiresOnlyWhenNoWorkerUsesItAndCountsAnewAfterwards) {
  Metrics metrics(2, MetricLimits{.series_max = 10, .idle_max = 1h});
  WorkerMetrics idle(metrics, 0);
  WorkerMetrics busy(metrics, 1);
  const auto at = [](WallTime when, const char* subset) {
    RequestRecord record = request();
    record.started = when;
    record.peers.subset = subset;
    return record;
  };
  idle.request_done(at(start, "v1"));
  idle.request_done(at(start, "v2"));
  busy.request_done(at(start + 50min, "v1"));
  auto scraped = scrape(metrics, start + 90min);
  EXPECT_EQ(total(scraped, "istio_requests_total"), 2u)
      << "v1 whole, with what the idle worker counted; v2 is gone";
  idle.request_done(at(start + 91min, "v2"));
  scraped = scrape(metrics, start + 91min);
  EXPECT_EQ(total(scraped, "istio_requests_total"), 3u) << "v2 begins at one";
}

TEST(Metrics, LabelValuesAreEscapedAndSeparatorsCannotBeSmuggledIn) {
  Metrics metrics(1);
  WorkerMetrics worker(metrics, 0);
  RequestRecord record = request();
  record.peers.subset =
      "a\"b\\c\nd\x1f"
      "e\xff";
  worker.request_done(record);
  const std::string text = metrics.render(ProcessMetrics{}, start);
  EXPECT_NE(text.find("destination_version=\"a\\\"b\\\\c\\nd?e?\""), std::string::npos);
}

TEST(Metrics, UnknownPeersAreNamedAsIstioNamesThem) {
  Metrics metrics(1);
  WorkerMetrics worker(metrics, 0);
  RequestRecord record;
  record.started = start;
  worker.request_done(record);
  const auto scraped = scrape(metrics);
  const auto found = scraped.lower_bound("istio_requests_total{");
  ASSERT_NE(found, scraped.end());
  EXPECT_NE(found->first.find("reporter=\"source\",source_principal=\"unknown\",source_workload=\"unknown\","
                              "source_workload_namespace=\"unknown\""),
            std::string::npos);
  EXPECT_NE(found->first.find("destination_service=\"unknown\""), std::string::npos);
  EXPECT_NE(found->first.find("connection_security_policy=\"none\""), std::string::npos);
  EXPECT_NE(found->first.find("response_code=\"0\""), std::string::npos);
}

TEST(Metrics, TheProcessSaysHowItIs) {
  Metrics metrics(1);
  ProcessMetrics process;
  process.version = "0.1.0";
  auto scraped = samples(metrics.render(process, start));
  EXPECT_EQ(scraped.count("weft_certificate_expiry_timestamp_seconds"), 0u)
      << "no certificate is not one that expired";
  process.certificate_not_after = start + 24h;
  process.discovery_connected = true;
  process.config_updates = 5;
  process.config_updates_refused = 1;
  process.config_versions = {{"inbound", "abc"}, {"service/web/world:80", "def"}};
  process.ready = true;
  scraped = samples(metrics.render(process, start));
  EXPECT_EQ(scraped.at("weft_build_info{version=\"0.1.0\"}"), "1");
  EXPECT_EQ(scraped.at("weft_certificate_expiry_timestamp_seconds"), "1790086400");
  EXPECT_EQ(scraped.at("weft_discovery_connected"), "1");
  EXPECT_EQ(scraped.at("weft_config_updates_total"), "5");
  EXPECT_EQ(scraped.at("weft_config_updates_refused_total"), "1");
  EXPECT_EQ(scraped.at("weft_config_resources"), "2");
  EXPECT_EQ(scraped.at("weft_config_resource_info{resource=\"service/web/world:80\",version=\"def\"}"), "1");
  EXPECT_EQ(scraped.at("weft_ready"), "1");
  EXPECT_EQ(scraped.at("weft_draining"), "0");
}

}  // namespace
}  // namespace weft::sidecar
