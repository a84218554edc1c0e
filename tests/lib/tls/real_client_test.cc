// Clients that are not ours, curl and openssl, against our server side: who gets an answer and who is
// refused.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "io/process.h"
#include "io/uv_loop.h"
#include "tests/lib/tls/test_root.h"
#include "tests/support/run_until.h"
#include "tests/support/stream_recorder.h"
#include "tests/support/temp_dir.h"
#include "tls/acceptor.h"

namespace weft::tls {
namespace {

using namespace std::chrono_literals;
using test::TestRoot;

#define EXPECT_TEXT(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

// Answers any request with the caller's identity.
class Greeter final : public io::StreamHandler {
 public:
  explicit Greeter(std::unique_ptr<TlsStream> stream) : stream_(std::move(stream)) { stream_->start(*this); }
  void stream_data(std::string_view bytes) override {
    request_ += bytes;
    if (request_.find("\r\n\r\n") == std::string::npos) return;
    const std::string name = stream_->peer().identity ? stream_->peer().identity->to_string() : "nobody";
    stream_->write(
        str_cat("HTTP/1.1 200 OK\r\nContent-Length: ", name.size(), "\r\nConnection: close\r\n\r\n", name));
    stream_->end();
  }
  void stream_end() override {}
  void stream_drained() override {}
  void stream_failed(const Error&) override {}

 private:
  std::unique_ptr<TlsStream> stream_;
  std::string request_;
};

class RealClients : public testing::Test {
 protected:
  RealClients()
      : root_(loop_.wall_now()),
        acceptor_(
            loop_,
            [this](std::unique_ptr<TlsStream> stream) {
              greeters_.push_back(std::make_unique<Greeter>(std::move(stream)));
            },
            [this](const Address&, const Error& error) { refusals_.push_back(error.message); }) {
    auto leaf = root_.leaf("spiffe://cluster.local/ns/default/sa/server");
    leaf.dns_names = {"server"};
    acceptor_.use(Context::server(root_.sign(leaf), root_.bundle(), {{"h2", "http/1.1"}, true}).value());
    EXPECT_TRUE(acceptor_.listen(Address::parse("127.0.0.1:0").value()));
    folder_.write("root.pem", root_.certificate().to_pem());
  }

  void write_client(const tls::PrivateKey& key, const std::vector<Certificate>& chain) {
    std::string pem;
    for (const auto& certificate : chain) pem += certificate.to_pem();
    folder_.write("client.pem", pem);
    folder_.write("client.key", key.to_pem().view());
  }
  void write_client(const Svid& svid) { write_client(svid.key, svid.chain); }

  // Its exit code and what it printed.
  std::pair<int, std::string> run(std::vector<std::string> argv) {
    const std::string output = folder_ / "output";
    const int descriptor = ::open(output.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    io::ProcessOptions options;
    options.argv = std::move(argv);
    options.env = {"PATH=/usr/bin:/bin"};
    options.standard_output = io::Stdio::to(descriptor);
    options.standard_error = io::Stdio::to(descriptor);
    std::optional<io::ExitStatus> status;
    const auto process =
        io::spawn(loop_, std::move(options), [&](io::ExitStatus exited) { status = exited; });
    ::close(descriptor);
    EXPECT_TRUE(process) << process.error().message;
    EXPECT_TRUE(test::run_until(loop_, [&] { return status.has_value(); }));
    std::ifstream file(output);
    return {status ? status->code : -1, std::string{std::istreambuf_iterator<char>(file), {}}};
  }
  std::pair<int, std::string> curl(std::vector<std::string> more) {
    std::vector<std::string> argv{"curl",
                                  "--silent",
                                  "--show-error",
                                  "--max-time",
                                  "10",
                                  "--cacert",
                                  folder_ / "root.pem",
                                  "--http1.1",
                                  "--connect-to",
                                  str_cat("server:443:", acceptor_.local_address().to_string()),
                                  "https://server/"};
    argv.insert(argv.end(), more.begin(), more.end());
    return run(std::move(argv));
  }
  std::pair<int, std::string> curl_with_client() {
    return curl({"--cert", folder_ / "client.pem", "--key", folder_ / "client.key"});
  }

  io::UvLoop loop_;
  TestRoot root_;
  test::TempDir folder_;
  std::vector<std::unique_ptr<Greeter>> greeters_;
  std::vector<std::string> refusals_;
  Acceptor acceptor_;
};

TEST_F(RealClients, CurlIsAnsweredUnderItsIdentity) {
  write_client(*root_.svid("spiffe://cluster.local/ns/default/sa/a"));
  const auto [code, output] = curl_with_client();
  EXPECT_EQ(code, 0) << output;
  EXPECT_EQ(output, "spiffe://cluster.local/ns/default/sa/a");
  EXPECT_TRUE(refusals_.empty());
}

TEST_F(RealClients, AreRefusedAndToldByAlert) {
  const TestRoot foreign(root_.now());
  const std::string id = "spiffe://cluster.local/ns/default/sa/a";
  struct Row {
    const char* name;
    std::shared_ptr<const Svid> svid;
    const char* reason;
    const char* alert;
  };
  const auto leaf = [&](auto spoil) { return root_.spoilt(id, spoil); };
  const Row rows[] = {
      {"foreign", foreign.svid(id), "no trust root signed", "unknown ca"},
      {"expired", leaf([&](auto& t) { t.not_after = root_.now() - 1s; }), "expired at", "expired"},
      {"a CA as leaf", leaf([&](auto& t) { t.is_ca = true; }), "is it a CA certificate", "illegal parameter"},
      {"no identity", leaf([&](auto& t) {
         t.uris = {};
         t.dns_names = {"a"};
       }),
       "no URI", "bad certificate"},
  };
  for (const auto& row : rows) {
    refusals_.clear();
    write_client(*row.svid);
    const auto [code, output] = curl_with_client();
    EXPECT_NE(code, 0) << row.name << ": " << output;
    EXPECT_TEXT(output, row.alert) << " " << row.name;
    ASSERT_TRUE(test::run_until(loop_, [&] { return !refusals_.empty(); })) << row.name;
    EXPECT_TEXT(refusals_.front(), row.reason) << " " << row.name;
  }
  EXPECT_TRUE(greeters_.empty());
}

TEST_F(RealClients, WithoutCertificateAreRefused) {
  const auto [code, output] = curl({});
  EXPECT_NE(code, 0);
  EXPECT_TEXT(output, "certificate required");
  ASSERT_TRUE(test::run_until(loop_, [&] { return !refusals_.empty(); }));
  EXPECT_EQ(refusals_.front(), "the peer showed no certificate");
}

TEST_F(RealClients, WithTls12AreRefused) {
  write_client(*root_.svid("spiffe://cluster.local/ns/default/sa/a"));
  const auto [code, output] =
      run({"openssl", "s_client", "-connect", acceptor_.local_address().to_string(), "-tls1_2", "-CAfile",
           folder_ / "root.pem", "-cert", folder_ / "client.pem", "-key", folder_ / "client.key"});
  EXPECT_NE(code, 0);
  EXPECT_TEXT(output, "alert protocol version");
  ASSERT_TRUE(test::run_until(loop_, [&] { return !refusals_.empty(); }));
  EXPECT_EQ(refusals_.front(), "the peer offers no TLS 1.3");
  EXPECT_TRUE(greeters_.empty());
}

// The certificates themselves, read by another implementation.
TEST_F(RealClients, OpensslFindsTheChainInOrder) {
  write_client(*root_.svid("spiffe://cluster.local/ns/default/sa/a"));
  for (const char* purpose : {"sslclient", "sslserver"}) {
    const auto [code, output] = run({"openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile",
                                     folder_ / "root.pem", folder_ / "client.pem"});
    EXPECT_EQ(code, 0) << output;
  }
}

// A P-384 or RSA certificate is no less a mesh identity (other meshes' agents make them).
TEST_F(RealClients, WithRsaAndP384KeysAreWelcome) {
  for (const std::vector<std::string>& algorithm :
       {std::vector<std::string>{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
        std::vector<std::string>{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}}) {
    std::vector<std::string> argv{"openssl", "genpkey", "-quiet", "-out", folder_ / "made.key"};
    argv.insert(argv.end(), algorithm.begin(), algorithm.end());
    run(argv);
    std::ifstream file(folder_ / "made.key");
    const std::string pem{std::istreambuf_iterator<char>(file), {}};
    const auto key = PrivateKey::from_pem(pem);
    ASSERT_TRUE(key) << algorithm[1] << ": " << key.error().message;
    const auto leaf = sign_certificate(root_.leaf("spiffe://cluster.local/ns/default/sa/a"),
                                       key->public_key(), &root_.certificate(), root_.key())
                          .value();
    write_client(*key, {leaf});
    const auto [code, output] = curl_with_client();
    EXPECT_EQ(output, "spiffe://cluster.local/ns/default/sa/a") << algorithm[1] << code;
  }
}

}  // namespace
}  // namespace weft::tls
