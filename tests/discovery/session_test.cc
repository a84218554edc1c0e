#include "discovery/session.h"

#include <gtest/gtest.h>

#include "tests/discovery/world.h"

namespace weft::discovery {
namespace {

class HelloTest : public testing::Test {
 protected:
  HelloTest() {
    state_.apply(changes_of(pod_yaml("a", "198.18.1.1", "app: a") + pod_yaml("bare", "", "app: a")));
    hello_.pod_name = "a";
    hello_.name_space = "default";
    hello_.pod_uid = "uid-a";
    hello_.address = "198.18.1.1";
    peer_.identity = SpiffeId{"cluster.local", "default", "hello"};
    peer_.address = at("198.18.1.1:40000");
  }
  void expect(HelloVerdict verdict, std::string_view reason, bool check_peer_address = true) {
    const HelloCheck check = check_hello(state_.index(), "cluster.local", hello_, peer_, check_peer_address);
    EXPECT_EQ(check.verdict, verdict) << check.reason;
    EXPECT_EQ(check.reason, reason);
  }

  State state_{test_mesh()};
  kube::Hello hello_;
  http::GrpcPeer peer_;
};

TEST_F(HelloTest, ThePodItselfIsWelcome) { expect(HelloVerdict::welcome, ""); }

TEST_F(HelloTest, WithoutACertificateNobodyIs) {
  peer_.identity.reset();
  expect(HelloVerdict::refused, "no client certificate");
}

TEST_F(HelloTest, AnotherTrustDomainIsRefused) {
  peer_.identity->trust_domain = "other.example";
  expect(HelloVerdict::refused,
         "spiffe://other.example/ns/default/sa/hello is not of trust domain cluster.local");
}

TEST_F(HelloTest, AnotherNamespaceIsRefusedWhetherThePodIsThereOrNot) {
  peer_.identity->name_space = "shop";
  expect(HelloVerdict::refused,
         "spiffe://cluster.local/ns/shop/sa/hello asks for pod default/a of another namespace");
  hello_.pod_name = "none";
  expect(HelloVerdict::refused,
         "spiffe://cluster.local/ns/shop/sa/hello asks for pod default/none of another namespace");
}

TEST_F(HelloTest, AnotherServiceAccountIsRefused) {
  peer_.identity->service_account = "world";
  expect(HelloVerdict::refused,
         "spiffe://cluster.local/ns/default/sa/world asks for pod default/a, whose service account is hello");
}

TEST_F(HelloTest, APodThatIsNotKnownYetWaits) {
  hello_.pod_name = "new";
  expect(HelloVerdict::not_yet, "pod default/new is not known yet");
  hello_.pod_name = "a";
  hello_.pod_uid = "uid-of-its-successor";
  expect(HelloVerdict::not_yet, "pod default/a is known with another uid");
  hello_.pod_name = "bare";
  hello_.pod_uid = "uid-bare";
  expect(HelloVerdict::not_yet, "pod default/bare has no address yet");
}

TEST_F(HelloTest, AnAddressThatIsNotThePodsIsRefused) {
  hello_.address = "198.18.1.2";
  expect(HelloVerdict::refused, "pod default/a does not have the address 198.18.1.2");
  hello_.address = "x";
  EXPECT_EQ(check_hello(state_.index(), "cluster.local", hello_, peer_, true).verdict, HelloVerdict::refused);
}

TEST_F(HelloTest, ACallerFromElsewhereIsRefusedUnlessTheCheckIsOff) {
  peer_.address = at("198.18.1.9:40000");
  expect(HelloVerdict::refused,
         "pod default/a is asked for from 198.18.1.9:40000, which is not its address (if the network changes "
         "addresses: --no-peer-address-check)");
  expect(HelloVerdict::welcome, "", false);
}

}  // namespace
}  // namespace weft::discovery
