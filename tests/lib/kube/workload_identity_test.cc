#include "kube/workload_identity.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/lib/kube/fake_ca.h"
#include "tests/sim/sim_loop.h"
#include "tests/support/temp_dir.h"

namespace weft::kube {
namespace {

using namespace std::chrono_literals;
using codec::GrpcCode;

constexpr std::string_view own_id = "spiffe://cluster.local/ns/default/sa/hello";

class WorkloadIdentityTest : public testing::Test {
 protected:
  WorkloadIdentityTest() {
    loop_.set_wall(test::noon());
    resolver_.names["weft-ca.weft-system.svc"] = {*IpAddress::parse("127.0.0.1")};
    files_.write("token", "a-token\n");
    files_.write("roots.pem", root_.certificate().to_pem());
    options_.id = *SpiffeId::parse(own_id);
    options_.ca_id = *SpiffeId::parse("spiffe://cluster.local/ns/weft-system/sa/weft-ca");
    options_.ca_address = "weft-ca.weft-system.svc:15012";
    options_.token_file = files_ / "token";
    options_.bundle_file = files_ / "roots.pem";
  }
  void start() {
    identity_ = std::make_unique<WorkloadIdentity>(
        loop_, resolver_, random_, options_,
        anchor_.guard([this](const WorkloadCredentials& fresh) { received_.push_back(fresh); }));
    identity_->start();
  }
  bool certificates(std::size_t count) {
    return loop_.run_until([&] { return received_.size() >= count; }, 10min);
  }
  // The error of the first attempt.
  std::string error() {
    start();
    EXPECT_TRUE(loop_.run_until([&] { return identity_->failures() > 0; }, 1min));
    EXPECT_TRUE(received_.empty());
    EXPECT_EQ(identity_->credentials().svid, nullptr);
    return identity_->last_error() ? identity_->last_error()->message : "no error";
  }

  sim::SimLoop loop_;
  SeededRandom random_{7};
  test::TestRoot root_{test::noon()};
  test::TempDir files_;
  test::FakeResolver resolver_{loop_};
  test::FakeCa ca_{loop_, root_, *Address::parse("127.0.0.1:15012")};
  WorkloadIdentityOptions options_;
  std::vector<WorkloadCredentials> received_;
  std::unique_ptr<WorkloadIdentity> identity_;
  Anchor anchor_;
};

TEST_F(WorkloadIdentityTest, GetsACertificateForItsOwnKeyAndId) {
  start();
  EXPECT_TRUE(received_.empty()) << "never inside a call";
  ASSERT_TRUE(certificates(1));
  EXPECT_EQ(received_[0].svid->id.to_string(), own_id);
  EXPECT_EQ(received_[0].svid->chain.size(), 1u);
  EXPECT_EQ(received_[0].bundle->roots().size(), 1u);
  EXPECT_EQ(ca_.tokens, std::vector<std::string>{"Bearer a-token"});
  EXPECT_EQ(ca_.lifetimes_asked, std::vector<std::int64_t>{86400});
  EXPECT_EQ(identity_->issued(), 1u);
  EXPECT_FALSE(identity_->last_error());
}

TEST_F(WorkloadIdentityTest, RenewsAroundHalfOfTheLifeWithANewKeyAndTheTokenAsItIsThen) {
  start();
  ASSERT_TRUE(certificates(1));
  files_.write("token", "fresh-token");
  const WallTime renewal = *identity_->next_attempt();
  const Duration life = received_[0].svid->not_after - received_[0].svid->not_before;
  const Duration after = renewal - received_[0].svid->not_before;
  EXPECT_GE(after, life * 45 / 100);
  EXPECT_LE(after, life * 55 / 100);
  loop_.advance(renewal - loop_.wall_now() - 1s);
  EXPECT_EQ(ca_.tokens.size(), 1u);
  loop_.advance(2s);
  ASSERT_EQ(received_.size(), 2u);
  EXPECT_EQ(ca_.tokens[1], "Bearer fresh-token");
  EXPECT_FALSE(received_[0].svid->chain[0].public_key() == received_[1].svid->chain[0].public_key());
}

TEST_F(WorkloadIdentityTest, RenewNowDoesNotWaitAndJoinsAnAttemptUnderWay) {
  start();
  ASSERT_TRUE(certificates(1));
  identity_->renew_now();
  identity_->renew_now();
  loop_.advance(1s);
  EXPECT_EQ(received_.size(), 2u);
  EXPECT_EQ(ca_.tokens.size(), 2u);
}

TEST_F(WorkloadIdentityTest, KeepsTheOldCertificateWhileTheCaRefusesAndBacksOff) {
  start();
  ASSERT_TRUE(certificates(1));
  ca_.refuse_with = codec::GrpcStatus{GrpcCode::unavailable, "starting"};
  identity_->renew_now();
  loop_.advance(10min);
  EXPECT_EQ(received_.size(), 1u);
  EXPECT_EQ(identity_->credentials().svid, received_[0].svid);
  EXPECT_EQ(
      identity_->last_error()->message,
      "not renewed: the CA at weft-ca.weft-system.svc:15012 refused the request: starting (UNAVAILABLE)");
  // 1, 2, 4 … 60 s, each at least half: 600 s hold between 14 and 26 of them.
  EXPECT_GE(ca_.tokens.size(), 14u);
  EXPECT_LE(ca_.tokens.size(), 26u);
  ca_.refuse_with.reset();
  ASSERT_TRUE(certificates(2)) << "and goes on when the CA does";
  EXPECT_FALSE(identity_->last_error());
}

TEST_F(WorkloadIdentityTest, AnExpiredCertificateIsSaidToBeSo) {
  ca_.lifetime = 10min;
  start();
  ASSERT_TRUE(certificates(1));
  ca_.refuse_with = codec::GrpcStatus{GrpcCode::internal, "broken"};
  loop_.advance(11min);
  EXPECT_EQ(identity_->last_error()->message.substr(0, 27), "the certificate has expired");
}

TEST_F(WorkloadIdentityTest, ARefusedTokenIsNamed) {
  ca_.refuse_with = codec::GrpcStatus{GrpcCode::unauthenticated, "audience is 'x', expected 'weft-ca'"};
  EXPECT_EQ(error(),
            "no certificate yet: the CA at weft-ca.weft-system.svc:15012 refused the token: audience is 'x', "
            "expected 'weft-ca' (UNAUTHENTICATED)");
}

TEST_F(WorkloadIdentityTest, ACertificateForAnotherIdentityIsRefused) {
  ca_.issue_for = "spiffe://cluster.local/ns/default/sa/admin";
  EXPECT_EQ(
      error(),
      "no certificate yet: the CA at weft-ca.weft-system.svc:15012: its certificate is for "
      "spiffe://cluster.local/ns/default/sa/admin, expected spiffe://cluster.local/ns/default/sa/hello");
}

TEST_F(WorkloadIdentityTest, ACertificateThatNoRootSignedIsRefused) {
  const test::TestRoot foreign(test::noon());
  ca_.issue_from = &foreign;
  EXPECT_EQ(error().substr(0, 82),
            "no certificate yet: the CA at weft-ca.weft-system.svc:15012: its certificate: no t");
}

TEST_F(WorkloadIdentityTest, TheRepliesRootIsTrustedBesideTheBootstrapOnes) {
  const test::TestRoot next(test::noon());
  ca_.issue_from = &next;
  ca_.reply_root = &next;
  start();
  ASSERT_TRUE(certificates(1));
  EXPECT_EQ(received_[0].bundle->roots().size(), 2u);
}

TEST_F(WorkloadIdentityTest, ACaOfAnotherRootIsNotBelieved) {
  const test::TestRoot foreign(test::noon());
  files_.write("roots.pem", foreign.certificate().to_pem());
  const std::string text = error();
  EXPECT_NE(text.find("root"), std::string::npos) << text;
  EXPECT_TRUE(ca_.tokens.empty()) << "the token goes to the real CA only";
}

TEST_F(WorkloadIdentityTest, ACaWithAnotherIdentityIsNotBelieved) {
  ca_.serve_as("spiffe://cluster.local/ns/default/sa/hello", "weft-ca.weft-system.svc");
  const std::string text = error();
  EXPECT_NE(text.find("expected spiffe://cluster.local/ns/weft-system/sa/weft-ca"), std::string::npos)
      << text;
  EXPECT_TRUE(ca_.tokens.empty());
}

TEST_F(WorkloadIdentityTest, ACaWithAnotherDnsNameIsNotBelieved) {
  ca_.serve_as("spiffe://cluster.local/ns/weft-system/sa/weft-ca", "elsewhere.weft-system.svc");
  const std::string text = error();
  EXPECT_NE(text.find("weft-ca.weft-system.svc"), std::string::npos) << text;
  EXPECT_TRUE(ca_.tokens.empty());
}

TEST_F(WorkloadIdentityTest, AnAddressAsCaNeedsTheSpiffeIdAlone) {
  options_.ca_address = "127.0.0.1:15012";
  start();
  EXPECT_TRUE(certificates(1));
}

TEST_F(WorkloadIdentityTest, MissingFilesAreNamedAndTriedAgain) {
  options_.token_file = files_ / "later";
  EXPECT_EQ(error(), str_cat("no certificate yet: the service-account token cannot be read: ",
                             files_ / "later", ": No such file or directory"));
  files_.write("later", "now");
  EXPECT_TRUE(certificates(1));
}

TEST_F(WorkloadIdentityTest, AnEmptyTokenAndABrokenBundleAreNamed) {
  files_.write("token", "\n");
  EXPECT_EQ(error(),
            str_cat("no certificate yet: the service-account token file ", files_ / "token", " is empty"));
  files_.write("roots.pem", "nonsense");
  EXPECT_TRUE(loop_.run_until([&] { return identity_->failures() > 1; }, 1min));
  EXPECT_NE(identity_->last_error()->message.find(str_cat("the trust bundle ", files_ / "roots.pem")),
            std::string::npos);
}

TEST_F(WorkloadIdentityTest, AWrongCaAddressIsNamed) {
  options_.ca_address = "weft-ca";
  EXPECT_EQ(error(), "no certificate yet: CA address 'weft-ca': expected HOST:PORT");
}

TEST_F(WorkloadIdentityTest, ASilentCaIsGivenUpAndAskedAgain) {
  ca_.silent = true;
  const std::string text = error();
  EXPECT_NE(text.find("the CA at weft-ca.weft-system.svc:15012"), std::string::npos) << text;
  ca_.silent = false;
  EXPECT_TRUE(certificates(1));
}

TEST_F(WorkloadIdentityTest, DyingInTheMiddleOfAnAttemptIsQuiet) {
  ca_.silent = true;
  start();
  loop_.advance(100ms);
  identity_.reset();
  loop_.advance(1min);
  EXPECT_TRUE(received_.empty());
}

TEST(RenewalTime, IsHalfOfTheLifeMoreOrLess) {
  const WallTime begin{};
  EXPECT_EQ(renewal_time(begin, begin + 1000s, 0.0), begin + 450s);
  EXPECT_EQ(renewal_time(begin, begin + 1000s, 0.5), begin + 500s);
  EXPECT_LE(renewal_time(begin, begin + 1000s, 0.999), begin + 550s);
}

}  // namespace
}  // namespace weft::kube
