// What becomes of the application's own metrics at a scrape of the sidecar's.
#include "sidecar/application_metrics.h"

#include <optional>

#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/lib/http/probe_servers.h"

namespace weft::sidecar {
namespace {

using namespace std::chrono_literals;
using test::PlainServer;

TEST(ParseApplicationMetrics, TakesWhatTheInjectorWritesAndNothingElse) {
  EXPECT_EQ(parse_application_metrics("")->port, 0);
  const auto target = parse_application_metrics("8080/stats/prometheus?x=1");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->port, 8080);
  EXPECT_EQ(target->path, "/stats/prometheus?x=1");
  for (const char* wrong :
       {"8080", "/metrics", "0/metrics", "65536/metrics", "http://x/metrics", "8080/a b", "8080/\n"})
    EXPECT_FALSE(parse_application_metrics(wrong)) << wrong;
}

TEST(PatienceFor, LeavesPrometheusTheTimeToHearOfUs) {
  EXPECT_EQ(patience_for(""), ApplicationMetrics::patience_max);
  EXPECT_EQ(patience_for("10"), ApplicationMetrics::patience_max);
  EXPECT_EQ(patience_for("1"), 600ms);
  EXPECT_EQ(patience_for("0.5"), 300ms);
  for (const char* odd : {"0", "-1", "nan", "inf", "1e999", "1s", " 1"})
    EXPECT_EQ(patience_for(odd), ApplicationMetrics::patience_max) << odd;
}

class ApplicationMetricsTest : public testing::Test {
 protected:
  Result<std::string> ask(std::uint16_t port) {
    if (!metrics_)
      metrics_.emplace(loop_, *IpAddress::parse("127.0.0.1"), ApplicationMetricsTarget{port, "/own"});
    std::optional<Result<std::string>> got;
    metrics_->ask(5s, [&got](Result<std::string> body) { got = std::move(body); });
    EXPECT_FALSE(got) << "never inline";
    EXPECT_TRUE(test::run_until(loop_, [&got] { return got.has_value(); }));
    return got.value_or(fail(Code::internal, "no answer"));
  }

  io::UvLoop loop_;
  std::optional<ApplicationMetrics> metrics_;
};

TEST_F(ApplicationMetricsTest, TheBodyComesAsItIs) {
  const std::string body = "# TYPE shop_orders_total counter\nshop_orders_total{x=\"\xc3\xa4\"} 7\n";
  PlainServer server(loop_, [&body](io::Stream& stream, const std::string&) {
    stream.write(str_cat("HTTP/1.1 200 OK\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
    stream.end();
  });
  EXPECT_EQ(ask(server.address().port).value_or("none"), body);
  EXPECT_NE(server.received().find("GET /own HTTP/1.1\r\n"), std::string::npos) << server.received();
  EXPECT_NE(server.received().find("accept: text/plain;version=0.0.4\r\n"), std::string::npos);
  EXPECT_EQ(metrics_->asked(), 1u);
  EXPECT_EQ(metrics_->failed(), 0u);
}

TEST_F(ApplicationMetricsTest, WhatIsNo200OrTooLongOrNotThereIsAFailureThatCounts) {
  std::string answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  PlainServer server(loop_, [&answer](io::Stream& stream, const std::string&) {
    stream.write(answer);
    stream.end();
  });
  const std::uint16_t port = server.address().port;
  EXPECT_FALSE(ask(port));
  EXPECT_EQ(metrics_->failed(), 1u);
  answer = str_cat("HTTP/1.1 200 OK\r\nContent-Length: ", ApplicationMetrics::body_bytes_max + 1, "\r\n\r\n",
                   std::string(ApplicationMetrics::body_bytes_max + 1, 'x'));
  EXPECT_FALSE(ask(port));
  EXPECT_EQ(metrics_->failed(), 2u);
  answer = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n<html>\n";
  const auto html = ask(port);
  ASSERT_FALSE(html) << "Prometheus could not read the page";
  EXPECT_NE(html.error().message.find("line 1: expected a sample"), std::string::npos)
      << html.error().message;
  answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na 1\n";
  EXPECT_TRUE(ask(port));
  EXPECT_EQ(metrics_->failed(), 3u);
  EXPECT_EQ(metrics_->asked(), 4u);
}

// The loop goes on meanwhile, and the wait ends.
TEST_F(ApplicationMetricsTest, AnApplicationThatSaysNothingIsWaitedForAsLongAsAllowed) {
  PlainServer server(loop_, [](io::Stream&, const std::string&) {});
  metrics_.emplace(loop_, *IpAddress::parse("127.0.0.1"),
                   ApplicationMetricsTarget{server.address().port, "/own"});
  std::optional<Result<std::string>> got;
  metrics_->ask(50ms, [&got](Result<std::string> page) { got = std::move(page); });
  EXPECT_TRUE(test::run_until(loop_, [&got] { return got.has_value(); }));
  EXPECT_FALSE(*got);
  EXPECT_EQ(metrics_->failed(), 1u);
}

// Nobody reads for an application that does not answer: those beyond the limit go without its figures at
// once.
TEST_F(ApplicationMetricsTest, ScrapesBeyondTheLimitAreAnsweredWithoutTheApplication) {
  PlainServer server(loop_, [](io::Stream&, const std::string&) {});
  metrics_.emplace(loop_, *IpAddress::parse("127.0.0.1"),
                   ApplicationMetricsTarget{server.address().port, "/own"});
  std::size_t refused = 0;
  for (std::size_t i = 0; i < ApplicationMetrics::at_once_max + 3; ++i)
    metrics_->ask(5s, [&refused](const Result<std::string>& body) { refused += body ? 0 : 1; });
  EXPECT_TRUE(test::run_until(loop_, [&refused] { return refused == 3; }));
  EXPECT_EQ(metrics_->failed(), 3u);
}

}  // namespace
}  // namespace weft::sidecar
