// weft.mesh/outbound-policy: where a pod may connect beyond the mesh, as discovery says it, while it runs.
#include "tests/sidecar/mesh_fixture.h"

using namespace std::chrono_literals;

namespace weft::test {
namespace {

using policy::OutboundPolicy;

class MeshOutboundPolicyTest : public MeshTest {
 protected:
  MeshOutboundPolicyTest() {
    outside_.listener =
        outside_loop_
            .listen(Address{outside_loop_.addresses().front(), 15006}, {},
                    [this](std::unique_ptr<io::Stream> stream) {
                      outside_.served.push_back(std::make_unique<StreamRecorder>(std::move(stream)));
                    })
            .value();
    policy::AddressOwner nobody;
    nobody.address = there_;
    nobody.kind = policy::AddressOwner::Kind::unknown_outside;
    hello_->know({}, {nobody});
  }

  void say(std::optional<OutboundPolicy> policy) {
    policy::InboundPolicy inbound = hello_->inbound_policy();
    inbound.outbound_policy = policy;
    hello_->set_inbound(inbound);
  }
  std::unique_ptr<StreamRecorder> dial(std::string_view says) {
    auto client = std::make_unique<StreamRecorder>();
    const auto connecting = hello_->connect(there_, [&](Result<std::unique_ptr<io::Stream>> stream) {
      client->take(*std::move(stream));
      client->stream->write(says);
    });
    EXPECT_TRUE(network_.run_until([&] { return client->stream != nullptr; }));
    return client;
  }
  bool answers(StreamRecorder& client, std::string_view text) {
    return network_.run_until([&] { return client.data.find(text) != std::string::npos; }, 2s);
  }

  const Address there_ = Address::parse("198.19.0.1:22").value();
  sim::SimLoop& outside_loop_ = network_.add_loop({there_.ip});
  RawServer outside_;  // what the simulated rules make of port 22 there
  std::unique_ptr<SimPod> hello_ = pod("198.18.0.1", "hello");
};

TEST_F(MeshOutboundPolicyTest, RegistryOnlyRefusesWhatNobodyOwnsAndSaysSoInHttp) {
  say(OutboundPolicy::registry_only);
  const auto web = dial("GET / HTTP/1.1\r\nhost: there\r\n\r\n");
  ASSERT_TRUE(answers(*web, "\r\n\r\n")) << web->data;
  EXPECT_TRUE(web->data.starts_with("HTTP/1.1 502 ")) << web->data;
  EXPECT_NE(web->data.find("x-weft-error: registry-only"), std::string::npos) << web->data;
  const auto opaque = dial("\x01 no HTTP");
  EXPECT_TRUE(network_.run_until([&] { return opaque->failures > 0; }, 2s));
  EXPECT_EQ(hello_->telemetry.refused["registry-only"], 1);
  EXPECT_EQ(hello_->telemetry.connections.back().reason, "registry-only");
  EXPECT_TRUE(outside_.served.empty());
}

TEST_F(MeshOutboundPolicyTest, AServiceIsReachedUnderRegistryOnly) {
  auto world = pod("198.18.0.2", "world");
  world->serve(app_port, says("world"));
  hello_->know({service({world->endpoint(app_port)})});
  say(OutboundPolicy::registry_only);
  EXPECT_EQ(call(*hello_, get())->body, "world");
}

TEST_F(MeshOutboundPolicyTest, WithoutAWordOfDiscoveryItIsAsStarted) {
  const auto free = dial("hi");
  EXPECT_TRUE(network_.run_until([&] { return outside_.got("hi"); }, 2s));
}

// A tunnel has no next request at which it would be asked again.
TEST_F(MeshOutboundPolicyTest, AChangeEndsWhatItWouldRefuseAndLetsThroughWhatItWouldNot) {
  const auto before = dial("hi");
  ASSERT_TRUE(network_.run_until([&] { return outside_.got("hi"); }, 2s));
  say(OutboundPolicy::registry_only);
  EXPECT_TRUE(network_.run_until([&] { return before->over(); }, 1s));
  EXPECT_EQ(hello_->telemetry.ended["policy-changed"], 1);
  const auto refused = dial("GET / HTTP/1.1\r\nhost: there\r\n\r\n");
  ASSERT_TRUE(answers(*refused, "registry-only"));
  say(OutboundPolicy::allow_any);
  EXPECT_TRUE(network_.run_until([&] { return refused->over(); }, 1s))
      << "the next request goes out on a connection that is let through";
  const auto after = dial("again");
  EXPECT_TRUE(network_.run_until([&] { return outside_.got("again"); }, 2s));
}

// Where discovery is away, what it said last holds.
TEST_F(MeshOutboundPolicyTest, AnAddressThatDiscoverySaysNothingOfFollowsThePolicyToo) {
  say(OutboundPolicy::registry_only);
  hello_->forget(there_);
  const auto client = dial("\x01 no HTTP");
  EXPECT_TRUE(network_.run_until([&] { return client->failures > 0; }, 5s));
  EXPECT_TRUE(outside_.served.empty());
}

}  // namespace
}  // namespace weft::test
