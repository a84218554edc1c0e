// The webhook over real HTTPS, with curl in the API server's place.
#include "injector/webhook.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <optional>

#include <gtest/gtest.h>

#include "base/text.h"
#include "injector/admission_review.h"
#include "injector/json_patch.h"
#include "io/process.h"
#include "io/uv_loop.h"
#include "tests/lib/tls/test_root.h"
#include "tests/support/run_until.h"
#include "tests/support/temp_dir.h"

namespace weft::injector {
namespace {

constexpr std::string_view host = "weft-injector.weft-system.svc";
constexpr auto plain_pod = R"({"metadata":{"name":"a"},"spec":{"containers":[{"name":"a"}]}})";

struct CurlReply {
  int exit_code = -1;  // of curl; 0: there was an answer
  std::string status;
  std::string body;
};

class WebhookTest : public testing::Test {
 protected:
  WebhookTest() : root_(loop_.wall_now()), webhook_(loop_, InjectorConfig{}) {
    EXPECT_TRUE(webhook_.listen(*Address::parse("127.0.0.1:0")));
    EXPECT_TRUE(webhook_.listen_metrics(*Address::parse("127.0.0.1:0")));
    folder_.write("root.pem", root_.certificate().to_pem());
  }

  void use_certificate_of(const test::TestRoot& root) {
    auto leaf = root.leaf("spiffe://cluster.local/ns/weft-system/sa/weft-injector");
    leaf.dns_names = {std::string(host)};
    auto context = tls::Context::server(root.sign(leaf), nullptr, {{"http/1.1"}, false});
    ASSERT_TRUE(context) << context.error().message;
    webhook_.use(*context);
  }

  CurlReply curl(std::vector<std::string> arguments) {
    const std::string output = folder_ / "output";
    const int descriptor = open(output.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    io::ProcessOptions options;
    options.argv = {"curl", "--silent", "--max-time", "15", "--write-out", "\n%{http_code}"};
    for (std::string& argument : arguments) options.argv.push_back(std::move(argument));
    options.env = {"PATH=/usr/bin:/bin"};
    options.standard_output = io::Stdio::to(descriptor);
    std::optional<io::ExitStatus> status;
    const auto process =
        io::spawn(loop_, std::move(options), [&status](io::ExitStatus exited) { status = exited; });
    close(descriptor);
    EXPECT_TRUE(process) << process.error().message;
    if (!process) return {};
    EXPECT_TRUE(test::run_until(loop_, [&status] { return status.has_value(); }));
    std::ifstream file(output);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t line = text.rfind('\n');
    return CurlReply{status->code, text.substr(line + 1), text.substr(0, line)};
  }

  // To the HTTPS port, under the name that the API server uses.
  CurlReply call(const std::string& path, std::vector<std::string> arguments) {
    const std::string port = std::to_string(webhook_.local_address().port);
    arguments.insert(arguments.end(),
                     {"--cacert", folder_ / "root.pem", "--connect-to",
                      str_cat(host, ":443:127.0.0.1:", port), str_cat("https://", host, path)});
    return curl(std::move(arguments));
  }
  CurlReply post(const std::string& body, const std::string& content_type = "application/json") {
    return call("/inject", {"--header", "content-type: " + content_type, "--data-binary",
                            "@" + folder_.write("body", body)});
  }
  CurlReply metrics(const std::string& path) {
    return curl({str_cat("http://", webhook_.metrics_address().to_string(), path)});
  }

  static std::string review(const std::string& object) {
    AdmissionRequest request;
    request.uid = "u";
    request.kind = "Pod";
    request.operation = "CREATE";
    request.name_space = "default";
    request.object = object;
    return *make_admission_review(request);
  }

  io::UvLoop loop_;
  test::TempDir folder_;
  test::TestRoot root_;
  Webhook webhook_;
};

TEST_F(WebhookTest, AnswersAReviewWithAPatchThatApplies) {
  use_certificate_of(root_);
  const CurlReply reply = post(review(plain_pod), "application/json; charset=utf-8");
  ASSERT_EQ(reply.status, "200") << reply.exit_code << " " << reply.body;
  const auto patch = patch_of_answer(reply.body, "u");
  ASSERT_TRUE(patch) << patch.error().message;
  const auto injected = apply_json_patch(plain_pod, *patch);
  ASSERT_TRUE(injected);
  EXPECT_NE(injected->find("weft-sidecar"), std::string::npos);
}

TEST_F(WebhookTest, SaysWhatIsWrongWithARequest) {
  use_certificate_of(root_);
  const CurlReply garbage = post("{");
  EXPECT_EQ(garbage.status, "400");
  EXPECT_EQ(garbage.body, "AdmissionReview: not JSON, or cut short\n");
  EXPECT_EQ(post(review(plain_pod), "text/plain").status, "415");
  EXPECT_EQ(call("/inject", {}).status, "405");
  EXPECT_EQ(call("/validate", {"--data", "x"}).status, "404");
  const CurlReply after = post(review(plain_pod));
  EXPECT_EQ(after.status, "200") << "and serves on";
}

TEST_F(WebhookTest, RefusesABodyPastTheLimit) {
  use_certificate_of(root_);
  EXPECT_EQ(post(std::string(admission_review_bytes_max + 1, ' ')).status, "413");
  EXPECT_EQ(post(std::string(admission_review_bytes_max, ' ')).status, "400") << "at the limit it is read";
}

TEST_F(WebhookTest, WithoutACertificateItIsNotReadyAndSaysWhy) {
  webhook_.explain_not_ready([] { return std::string("no certificate yet: the CA is away"); });
  EXPECT_NE(post(review(plain_pod)).exit_code, 0);
  const CurlReply before = metrics("/ready");
  EXPECT_EQ(before.status, "503");
  EXPECT_EQ(before.body, "not ready: no certificate yet: the CA is away\n");
  use_certificate_of(root_);
  EXPECT_EQ(metrics("/ready").status, "200");
}

TEST_F(WebhookTest, RenewedCertificateServesTheNextConnection) {
  use_certificate_of(root_);
  EXPECT_EQ(post(review(plain_pod)).status, "200");
  const test::TestRoot other(loop_.wall_now());
  use_certificate_of(other);
  EXPECT_NE(post(review(plain_pod)).exit_code, 0) << "of a root that curl does not know";
  folder_.write("root.pem", other.certificate().to_pem());
  EXPECT_EQ(post(review(plain_pod)).status, "200");
}

TEST_F(WebhookTest, PlaintextIsClosedAndCounted) {
  use_certificate_of(root_);
  EXPECT_NE(curl({str_cat("http://", webhook_.local_address().to_string(), "/inject")}).exit_code, 0);
  EXPECT_NE(metrics("/metrics").body.find("weft_injector_failed_handshakes_total 1\n"), std::string::npos);
}

TEST_F(WebhookTest, MetricsCountOutcomes) {
  use_certificate_of(root_);
  post(review(plain_pod));
  post(
      review(R"({"metadata":{"labels":{"weft.mesh/inject":"false"}},"spec":{"containers":[{"name":"a"}]}})"));
  post(review(R"({"spec":{"hostNetwork":true,"containers":[{"name":"a"}]}})"));
  post("{");
  const std::string text = metrics("/metrics").body;
  for (const std::string line :
       {"weft_injector_admissions_total{outcome=\"injected\"} 1\n",
        "weft_injector_admissions_total{outcome=\"skipped\"} 1\n",
        "weft_injector_admissions_total{outcome=\"refused\"} 1\n", "weft_injector_bad_requests_total 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  EXPECT_EQ(text.find("weft_certificate_expiry_timestamp_seconds 0\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace weft::injector
