// What log and metrics learn of the two ends.
#include <gtest/gtest.h>

#include "tests/sidecar/mesh_fixture.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class MeshTelemetryTest : public MeshTest {
 protected:
  MeshTelemetryTest() {
    policy::InboundPolicy of_hello = hello_->inbound_policy();
    of_hello.workload_name = "hello";
    hello_->set_inbound(of_hello);
    policy::InboundPolicy of_world = world_->inbound_policy();
    of_world.workload_name = "world-v1";
    of_world.ports[0].service = "default/world:80";
    world_->set_inbound(of_world);
    world_->serve(app_port, says("world"));
    policy::Endpoint endpoint = world_->endpoint(app_port);
    endpoint.workload_name = "world-v1";
    hello_->know({service({endpoint})});
  }
  // What discovery says of the caller's address.
  void tell_world(const std::string& identity) {
    policy::AddressOwner owner;
    owner.address = Address{hello_->ip(), 0};
    owner.kind = policy::AddressOwner::Kind::pod;
    owner.pod = hello_->endpoint(0);
    owner.pod.identity = identity;
    owner.pod.workload_name = "hello";
    world_->know({}, {owner});
  }
  sidecar::PeersRecord call_once() {
    const auto reply = call(*hello_, get());
    EXPECT_TRUE(reply) << reply.error().message;
    network_.advance(1s);
    EXPECT_FALSE(world_->telemetry.requests.empty());
    return world_->telemetry.requests.empty() ? sidecar::PeersRecord()
                                              : world_->telemetry.requests.back().peers;
  }

  std::unique_ptr<SimPod> hello_ = pod("198.18.0.1", "hello");
  std::unique_ptr<SimPod> world_ = pod("198.18.0.2", "world");
};

TEST_F(MeshTelemetryTest, BothSidesNameBothWorkloadsAndTheService) {
  sidecar::PeersRecord at_world = call_once();
  EXPECT_EQ(at_world.source_workload, "") << "discovery has not said yet";
  EXPECT_EQ(at_world.destination_workload, "world-v1");
  EXPECT_EQ(at_world.service, "default/world:80");
  EXPECT_EQ(world_->asked, std::vector<Address>({Address{hello_->ip(), 0}}));
  const sidecar::PeersRecord& at_hello = hello_->telemetry.requests.at(0).peers;
  EXPECT_EQ(at_hello.source_workload, "hello");
  EXPECT_EQ(at_hello.destination_workload, "world-v1");
  // On the connection of before.
  tell_world(hello_->identity());
  EXPECT_EQ(call_once().source_workload, "hello");
  EXPECT_EQ(world_->telemetry.opened, 1);
}

// An address changes hands sooner than discovery may say so: only what the proved identity bears out is
// believed.
TEST_F(MeshTelemetryTest, AWorkloadIsNotBelievedWithoutTheIdentityThatWasProved) {
  tell_world("spiffe://cluster.local/ns/default/sa/other");
  EXPECT_EQ(call_once().source_workload, "");
}

}  // namespace
}  // namespace weft::test
