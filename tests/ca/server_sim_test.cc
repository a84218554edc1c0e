// The CA's server in virtual time: its own certificate is renewed while it runs, and draining ends.
#include <gtest/gtest.h>

#include "ca/server.h"
#include "tests/lib/tls/test_root.h"
#include "tests/sim/sim_loop.h"
#include "tests/support/temp_dir.h"
#include "tls/tls_stream.h"

namespace weft::ca {
namespace {

using namespace std::chrono_literals;

class CaServer : public testing::Test {
 protected:
  CaServer() {
    loop_.set_wall(test::noon());
    folder_.write("jwks.json", "{}");
    authority_ = Authority::from_key_file(folder_ / "ca.pem", "cluster.local", loop_.wall_now()).value();
    tokens_ = std::make_unique<TokenVerifier>(folder_ / "jwks.json", tls::TokenChecks{{"weft-ca"}, ""});
    server_ =
        std::make_unique<Server>(loop_, *authority_, *tokens_, policy_,
                                 ServingIdentity{{"cluster.local", "weft-system", "weft-ca"}, {"weft-ca"}});
    EXPECT_TRUE(server_->start());
    EXPECT_TRUE(server_->listen(address_, {}));
  }

  // The certificate a client sees now; nothing when the handshake fails.
  std::optional<tls::PeerInfo> connect() {
    const auto context =
        tls::Context::client(nullptr,
                             tls::TrustBundle::from_pem(authority_->roots_pem(), "cluster.local").value())
            .value();
    std::unique_ptr<tls::Handshake> handshake;
    std::optional<tls::PeerInfo> peer;
    bool over = false;
    const auto connecting = loop_.connect(address_, {}, [&](Result<std::unique_ptr<io::Stream>> stream) {
      if (!stream) {
        over = true;
        return;
      }
      tls::ClientOptions options;
      options.expected_identity = SpiffeId{"cluster.local", "weft-system", "weft-ca"};
      options.server_name = "weft-ca";
      handshake = tls::handshake_client(loop_, *std::move(stream), context, options,
                                        [&](Result<std::unique_ptr<tls::TlsStream>> result) {
                                          over = true;
                                          if (result) peer = (*result)->peer();
                                        });
    });
    loop_.run_until([&] { return over; }, 30s);
    return peer;
  }

  sim::SimLoop loop_;
  test::TempDir folder_;
  IssuePolicy policy_;
  const Address address_ = Address::parse("127.0.0.1:15012").value();
  std::unique_ptr<Authority> authority_;
  std::unique_ptr<TokenVerifier> tokens_;
  std::unique_ptr<Server> server_;
};

TEST_F(CaServer, RenewsItsOwnCertificateAtHalfOfItsLife) {
  const auto first = connect();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->not_after, test::noon() + 24h);
  loop_.advance(11h);
  EXPECT_EQ(connect()->not_after, first->not_after);
  loop_.advance(2h);
  const auto second = connect();
  ASSERT_TRUE(second);
  EXPECT_GT(second->not_after, first->not_after + 11h);
  loop_.advance(24h * 30);
  EXPECT_TRUE(connect());
}

TEST_F(CaServer, TakesNoConnectionWhileItDrains) {
  bool drained = false;
  server_->drain([&] { drained = true; });
  EXPECT_FALSE(connect());
  EXPECT_TRUE(loop_.run_until([&] { return drained; }, 30s));
}

}  // namespace
}  // namespace weft::ca
