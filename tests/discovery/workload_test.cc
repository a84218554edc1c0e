// Which workload a pod is of, and which Service leads to its port: what log and metrics say of it.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "discovery/translate.h"
#include "policy/inbound.h"
#include "tests/discovery/world.h"

namespace weft::discovery {
namespace {

TEST(Workload, APodIsOfTheWorkloadOfItsController) {
  State state{test_mesh()};
  constexpr std::string_view owned =
      ", ownerReferences: [{kind: Node, name: n}, {kind: ReplicaSet, name: hello-7d9f, controller: true}]";
  constexpr std::string_view of_a_set =
      ", ownerReferences: [{kind: StatefulSet, name: db, controller: true}]";
  const auto changes =
      changes_of(service_yaml("hello", "198.18.0.10", "app: hello") +
                 pod_yaml("hello-7d9f-abcde", "198.18.1.1", "app: hello, pod-template-hash: 7d9f", owned) +
                 pod_yaml("hello-odd", "198.18.1.2", "app: hello, pod-template-hash: other", owned) +
                 pod_yaml("db-0", "198.18.1.3", "app: hello", of_a_set) +
                 pod_yaml("single", "198.18.1.4", "app: hello"));
  EXPECT_TRUE(state.apply(changes).refused.empty());
  const auto service = translate_service(state.view(), "default/hello:80");
  ASSERT_TRUE(service);
  std::vector<std::string> names;
  names.reserve(service->endpoints.size());
  for (const policy::Endpoint& endpoint : service->endpoints) names.push_back(endpoint.workload_name);
  EXPECT_EQ(names, (std::vector<std::string>{"hello", "hello-7d9f", "db", "single"}));
  EXPECT_EQ(translate_address(state.view(), at("198.18.1.1:0")).pod.workload_name, "hello");
  const auto inbound = translate_inbound(state.view(), "default", "hello-7d9f-abcde");
  ASSERT_TRUE(inbound);
  EXPECT_EQ(inbound->workload_name, "hello");
  EXPECT_EQ(policy::inbound_port(*inbound, 8080).service, "default/hello:80");
  EXPECT_EQ(policy::inbound_port(*inbound, 9999).service, "") << "no Service leads there";
}

}  // namespace
}  // namespace weft::discovery
