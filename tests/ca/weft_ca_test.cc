// The running CA: real gRPC over real TLS, with good and with bad tokens, requests, keys and flags.
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <fstream>

#include <gtest/gtest.h>

#include "base/text.h"
#include "ca/files.h"
#include "tests/ca/running_ca.h"
#include "tls/csr.h"

namespace weft::ca {
namespace {

using namespace std::chrono_literals;
using codec::GrpcCode;
using test::RunningCa;
using test::TokenIssuer;

#define EXPECT_TEXT(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

class WeftCa : public testing::Test {
 protected:
  WeftCa() { folder_.write("jwks.json", issuer_.jwks()); }

  // With a bundle written to `bundle` in the test's folder.
  std::vector<std::string> flags(const std::string& bundle = "root-cert.pem") const {
    return {"--key-file", folder_ / "ca.pem",        "--jwks",       folder_ / "jwks.json",
            "--dns-name", "weft-ca.weft-system.svc", "--bundle-out", folder_ / bundle};
  }
  std::vector<std::string> flags_and(const std::string& flag, const std::string& value) const {
    auto all = flags();
    all.insert(all.end(), {flag, value});
    return all;
  }
  std::string roots() const { return read_file(folder_ / "root-cert.pem", 100000).value_or("none"); }
  std::string csr(const SpiffeId& id) const { return tls::make_csr(key_, id).value(); }

  io::UvLoop loop_;
  test::TempDir folder_;
  TokenIssuer issuer_;
  tls::PrivateKey key_ = tls::PrivateKey::generate().value();
  const SpiffeId id_a_{"cluster.local", "default", "a"};
};

TEST_F(WeftCa, SignsForAGoodToken) {
  RunningCa ca(loop_, flags());
  ASSERT_TRUE(ca.ready()) << ca.output();
  const auto answer = ca.create(roots(), "Bearer " + issuer_.token(), csr(id_a_), 3600);
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_TRUE(answer->status.ok()) << answer->status.to_string();
  ASSERT_EQ(answer->chain.size(), 2u);
  const auto svid = tls::make_svid(std::move(key_), answer->chain);
  ASSERT_TRUE(svid) << svid.error().message;
  EXPECT_EQ((*svid)->id, id_a_);
  EXPECT_EQ(answer->chain[1], roots());
  const auto lifetime = (*svid)->not_after - system_wall_now();
  EXPECT_GT(lifetime, 59min);
  EXPECT_LE(lifetime, 60min);
  const auto bundle = tls::TrustBundle::from_pem(roots(), "cluster.local").value();
  EXPECT_FALSE(tls::verify_chain((*svid)->chain, *bundle, tls::Purpose::client, system_wall_now()));
  EXPECT_TEXT(ca.output(), "certificate issued id=spiffe://cluster.local/ns/default/sa/a pod=default/a-1");
}

TEST_F(WeftCa, RefusesWithTheReasonAndNeverLogsAToken) {
  RunningCa ca(loop_, flags());
  ASSERT_TRUE(ca.ready()) << ca.output();
  const TokenIssuer foreign;
  const auto good = issuer_.token();
  const SpiffeId id_b{"cluster.local", "default", "b"};
  struct Row {
    const char* name;
    std::string authorization;
    std::string csr;
    GrpcCode code;
    const char* reason;
  };
  const Row rows[] = {
      {"no token", "", csr(id_a_), GrpcCode::unauthenticated, "no 'authorization' metadata"},
      {"no bearer", good, csr(id_a_), GrpcCode::unauthenticated, "not of the form 'Bearer TOKEN'"},
      {"garbage token", "Bearer garbage", csr(id_a_), GrpcCode::unauthenticated, "not a JWT"},
      {"expired", "Bearer " + issuer_.sign(TokenIssuer::claims("weft-ca", -1min)), csr(id_a_),
       GrpcCode::unauthenticated, "the token expired at"},
      {"foreign", "Bearer " + foreign.token(), csr(id_a_), GrpcCode::unauthenticated, "signature is wrong"},
      {"audience", "Bearer " + issuer_.sign(TokenIssuer::claims("vault")), csr(id_a_),
       GrpcCode::unauthenticated, "the token's audience is 'vault', expected 'weft-ca', 'istio-ca'"},
      {"not bound", "Bearer " + issuer_.sign(TokenIssuer::claims("weft-ca", 1h, false)), csr(id_a_),
       GrpcCode::permission_denied, "is not bound to a pod"},
      {"other id", "Bearer " + good, csr(id_b), GrpcCode::permission_denied,
       "asks for 'spiffe://cluster.local/ns/default/sa/b', but the token is of "
       "spiffe://cluster.local/ns/default/sa/a"},
      {"no CSR", "Bearer " + good, "", GrpcCode::invalid_argument, "CSR: empty"},
      {"garbage CSR", "Bearer " + good, "garbage", GrpcCode::invalid_argument, "CSR: not a PEM block"},
      {"huge CSR", "Bearer " + good, std::string(100000, 'x'), GrpcCode::invalid_argument,
       "CSR: more than 16 KiB"},
  };
  for (const auto& row : rows) {
    const auto answer = ca.create(roots(), row.authorization, row.csr);
    ASSERT_TRUE(answer) << row.name << ": " << answer.error().message;
    EXPECT_EQ(answer->status.code, row.code) << row.name << ": " << answer->status.to_string();
    EXPECT_TEXT(answer->status.message, row.reason) << " " << row.name;
    EXPECT_TRUE(answer->chain.empty());
    const auto secret = row.authorization.substr(row.authorization.rfind('.') + 1);
    EXPECT_TRUE(secret.size() < 20 || ca.output().find(secret) == std::string::npos) << row.name;
  }
  EXPECT_TEXT(ca.output(), "reason=wrong_identity");
}

TEST_F(WeftCa, CountsWhatItDoesAndSaysWhenItIsReady) {
  RunningCa ca(loop_, flags());
  ASSERT_TRUE(ca.ready()) << ca.output();
  EXPECT_EQ(ca.get("/ready"), "200 ready\n");
  EXPECT_TRUE(ca.create(roots(), "Bearer " + issuer_.token(), csr(id_a_))->status.ok());
  EXPECT_FALSE(ca.create(roots(), "", csr(id_a_))->status.ok());
  const auto metrics = ca.get("/metrics");
  EXPECT_TEXT(metrics, "\nweft_ca_issued_total 1\n");
  EXPECT_TEXT(metrics, "\nweft_ca_refused_total{reason=\"no_token\"} 1\n");
  EXPECT_TEXT(metrics, "\nweft_ca_token_keys 1\n");
  EXPECT_TEXT(ca.get("/"), "404 ");
}

TEST_F(WeftCa, GivesDnsNamesToTheControlPlane) {
  RunningCa ca(loop_, flags_and("--control-plane", "default/a=weft-discovery.weft-system.svc,discovery"));
  ASSERT_TRUE(ca.ready()) << ca.output();
  const auto answer = ca.create(roots(), "Bearer " + issuer_.token(), csr(id_a_));
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_TRUE(answer->status.ok()) << answer->status.to_string();
  EXPECT_EQ(tls::Certificate::from_pem(answer->chain[0])->dns_names(),
            (std::vector<std::string>{"weft-discovery.weft-system.svc", "discovery"}));
}

TEST_F(WeftCa, AcceptsIstiosAudience) {
  RunningCa ca(loop_, flags());
  ASSERT_TRUE(ca.ready()) << ca.output();
  const auto answer =
      ca.create(roots(), "Bearer " + issuer_.sign(TokenIssuer::claims("istio-ca")), csr(id_a_));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_TRUE(answer->status.ok()) << answer->status.to_string();
}

TEST_F(WeftCa, IsRefusedByAClientThatTrustsAnotherRoot) {
  RunningCa ca(loop_, flags());
  ASSERT_TRUE(ca.ready()) << ca.output();
  test::TempDir other_folder;
  other_folder.write("jwks.json", issuer_.jwks());
  RunningCa other(loop_, {"--key-file", other_folder / "ca.pem", "--jwks", other_folder / "jwks.json",
                          "--bundle-out", other_folder / "root-cert.pem"});
  ASSERT_TRUE(other.ready()) << other.output();
  const auto foreign_roots = read_file(other_folder / "root-cert.pem", 100000).value();
  const auto answer = ca.create(foreign_roots, "Bearer " + issuer_.token(), csr(id_a_));
  ASSERT_FALSE(answer);
  EXPECT_TEXT(answer.error().message, "no trust root signed the peer certificate");
}

TEST_F(WeftCa, KeepsItsKeyOverARestart) {
  std::string first;
  {
    RunningCa ca(loop_, flags());
    ASSERT_TRUE(ca.ready()) << ca.output();
    first = roots();
    ca.signal(SIGTERM);
    ASSERT_TRUE(ca.wait_for_exit());
    EXPECT_EQ(ca.exited()->code, 0) << ca.output();
    EXPECT_EQ(ca.exited()->signal, 0);
  }
  struct stat facts {};
  ASSERT_EQ(::stat((folder_ / "ca.pem").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0600u);
  RunningCa again(loop_, flags());
  ASSERT_TRUE(again.ready()) << again.output();
  EXPECT_EQ(roots(), first);
}

TEST_F(WeftCa, TwoThatRaceForOneFileShareOneKey) {
  RunningCa first(loop_, flags());
  RunningCa second(loop_, flags("second.pem"));
  ASSERT_TRUE(first.ready()) << first.output();
  ASSERT_TRUE(second.ready()) << second.output();
  // Each signs what the other's customers believe.
  const auto answer = second.create(roots(), "Bearer " + issuer_.token(), csr(id_a_));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_TRUE(answer->status.ok()) << answer->status.to_string();
}

TEST_F(WeftCa, TakesNewTokenKeysWithoutARestartAndKeepsTheLastGoodOnes) {
  const TokenIssuer other;
  RunningCa ca(loop_, flags());
  ASSERT_TRUE(ca.ready()) << ca.output();
  folder_.write("jwks.json", "{ broken");
  ASSERT_TRUE(ca.wait_for_output("the last good keys stay")) << ca.output();
  EXPECT_TRUE(ca.create(roots(), "Bearer " + issuer_.token(), csr(id_a_))->status.ok());
  const auto before = ca.output().size();
  folder_.write("jwks.json", other.jwks());
  ASSERT_TRUE(test::run_until(
      loop_, [&] { return ca.output().find("token keys file=", before) != std::string::npos; }));
  EXPECT_TRUE(ca.create(roots(), "Bearer " + other.token(), csr(id_a_))->status.ok());
  EXPECT_FALSE(ca.create(roots(), "Bearer " + issuer_.token(), csr(id_a_))->status.ok());
}

TEST_F(WeftCa, StartsWithoutTokenKeysAndSaysWhatIsMissing) {
  std::remove((folder_ / "jwks.json").c_str());
  RunningCa ca(loop_, flags());
  ASSERT_TRUE(ca.ready()) << ca.output();
  const auto answer = ca.create(roots(), "Bearer " + issuer_.token(), csr(id_a_));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(ca.get("/ready").substr(0, 3), "503");
  EXPECT_EQ(answer->status.code, GrpcCode::unavailable);
  EXPECT_TEXT(answer->status.message, "no keys to check tokens with yet");
  EXPECT_TEXT(answer->status.message, "jwks.json");
}

TEST_F(WeftCa, RefusesToStartAndSaysWhatIsWrong) {
  struct Row {
    const char* name;
    std::vector<std::string> flags;
    int code;
    const char* part;
  };
  const auto open_key = folder_.write("open.pem", "x");
  ASSERT_EQ(::chmod(open_key.c_str(), 0644), 0);
  const auto bad_key = folder_.write("bad.pem", "x");
  ASSERT_EQ(::chmod(bad_key.c_str(), 0600), 0);
  const std::string jwks = folder_ / "jwks.json";
  const Row rows[] = {
      {"no flags", {}, 2, "give either --key-file"},
      {"unknown flag", {"--colour"}, 2, "--colour"},
      {"bad lifetime", flags_and("--leaf-lifetime", "1y"), 2,
       "--leaf-lifetime: '1y': expected a number and s, m, h or d"},
      {"open key", {"--key-file", open_key, "--jwks", jwks}, 3, "chmod 600"},
      {"bad key", {"--key-file", bad_key, "--jwks", jwks}, 3, "no unencrypted PEM key found"},
      {"no folder",
       {"--ca-folder", "/nonexistent", "--jwks", jwks},
       3,
       "/nonexistent/ca-key.pem: No such file"},
      {"no bundle", flags("nonexistent/root.pem"), 5, "nonexistent/root.pem"},
      {"port taken", flags_and("--listen", "198.18.255.255:1"), 4, "198.18.255.255:1"},
  };
  for (const auto& row : rows) {
    RunningCa ca(loop_, row.flags);
    ASSERT_TRUE(ca.wait_for_exit()) << row.name;
    EXPECT_EQ(ca.exited()->code, row.code) << row.name << ": " << ca.output();
    EXPECT_TRUE(ca.wait_for_output(row.part)) << row.name << ": " << ca.output();
  }
}

}  // namespace
}  // namespace weft::ca
