// What the kubelet hears at the health port of the application's probes.
#include "sidecar/probes.h"

#include <optional>

#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/lib/http/probe_servers.h"

namespace weft::sidecar {
namespace {

using namespace std::chrono_literals;
using test::PlainServer;

TEST(ParseProbes, TakesWhatTheInjectorWrites) {
  const auto probes = parse_probes(
      R"({"web/livez":{"type":"http","port":8443,"path":"/a","scheme":"HTTPS","timeoutSeconds":3,)"
      R"("headers":[{"name":"Host","value":"shop.example"}]},)"
      R"("rpc/readyz":{"type":"grpc","port":9000,"service":"shop","timeoutSeconds":1},)"
      R"("db/startupz":{"type":"tcp","port":5432}})");
  ASSERT_TRUE(probes) << probes.error().message;
  const http::HealthProbe& web = probes->at("web/livez");
  EXPECT_EQ(web.kind, http::HealthProbe::Kind::http);
  EXPECT_EQ(web.address.port, 8443);
  EXPECT_EQ(web.path, "/a");
  EXPECT_TRUE(web.https);
  ASSERT_EQ(web.headers.size(), 1u);
  EXPECT_EQ(web.headers[0].value, "shop.example");
  // The kubelet gives up after 3 s, and is to hear why.
  EXPECT_EQ(web.timeout, 2950ms);
  EXPECT_EQ(probes->at("rpc/readyz").kind, http::HealthProbe::Kind::grpc);
  EXPECT_EQ(probes->at("rpc/readyz").service, "shop");
  EXPECT_EQ(probes->at("db/startupz").kind, http::HealthProbe::Kind::tcp);
  EXPECT_EQ(probes->at("db/startupz").timeout, 950ms);
}

TEST(ParseProbes, NamesProbeAndFieldOfWhatIsWrong) {
  const std::pair<const char*, const char*> wrong[] = {
      {R"([])", "expected a JSON object"},
      {R"({"a/livez":1})", "probe a/livez: expected an object"},
      {R"({"a/livez":{"type":"exec","port":1}})", "probe a/livez: type: expected http, tcp or grpc"},
      {R"({"a/livez":{"type":"tcp","port":0}})", "probe a/livez: port: expected 1 to 65535"},
      {R"({"a/livez":{"type":"tcp"}})", "probe a/livez: port: expected 1 to 65535"},
      {R"({"a/livez":{"type":"http","port":1,"headers":[{}]}})", "probe a/livez: headers: expected"}};
  for (const auto& [json, message] : wrong) {
    const auto probes = parse_probes(json);
    ASSERT_FALSE(probes) << json;
    EXPECT_NE(probes.error().message.find(message), std::string::npos) << probes.error().message;
  }
}

class ProbesTest : public testing::Test {
 protected:
  void probe_at(std::uint16_t port) {
    const auto parsed =
        parse_probes(str_cat(R"({"web/readyz":{"type":"http","port":)", port, R"(,"path":"/ready"}})"));
    probes_.emplace(loop_, *IpAddress::parse("127.0.0.1"), parsed.value());
  }
  http::SimpleReply ask(std::string_view path) {
    std::optional<http::SimpleReply> got;
    probes_->probe(path, "kube-probe/1.31", [&got](http::SimpleReply reply) { got = std::move(reply); });
    EXPECT_TRUE(test::run_until(loop_, [&got] { return got.has_value(); }));
    return got.value_or(http::SimpleReply());
  }

  io::UvLoop loop_;
  std::optional<Probes> probes_;
};

TEST_F(ProbesTest, AskTheApplicationInTheKubeletsName) {
  int status = 200;
  PlainServer server(loop_, [&status](io::Stream& stream, const std::string&) {
    stream.write(str_cat("HTTP/1.1 ", status, " x\r\nContent-Length: 8\r\n\r\nbecause\n"));
    stream.end();
  });
  probe_at(server.address().port);
  EXPECT_EQ(ask("/app-health/web/readyz").status, 200);
  EXPECT_NE(server.received().find("user-agent: kube-probe/1.31\r\n"), std::string::npos);
  status = 500;
  const auto failed = ask("/app-health/web/readyz");
  EXPECT_EQ(failed.status, 503);
  EXPECT_EQ(failed.body, str_cat("GET http://", server.address().to_string(), "/ready: HTTP status 500\n"));
  EXPECT_EQ(ask("/app-health/web/livez").status, 404);
}

TEST_F(ProbesTest, HoldOnlySoManyAtOnce) {
  PlainServer silent(loop_, [](io::Stream&, const std::string&) {});
  probe_at(silent.address().port);
  std::vector<int> statuses;
  for (std::size_t i = 0; i < Probes::at_once_max; ++i) {
    probes_->probe("/app-health/web/readyz", "",
                   [&statuses](const http::SimpleReply& reply) { statuses.push_back(reply.status); });
  }
  EXPECT_TRUE(statuses.empty());
  EXPECT_EQ(ask("/app-health/web/readyz").body, "too many probes at once\n");
  // They end by their time-out, and there is room again.
  EXPECT_TRUE(test::run_until(loop_, [&] { return statuses.size() == Probes::at_once_max; }));
  EXPECT_EQ(statuses.front(), 503);
  EXPECT_NE(ask("/app-health/web/readyz").body, "too many probes at once\n");
}

}  // namespace
}  // namespace weft::sidecar
