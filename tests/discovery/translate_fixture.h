// A cluster that is written as manifests, and what discovery makes of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "discovery/translate.h"
#include "tests/discovery/world.h"

namespace weft::discovery {

inline constexpr std::string_view hello_id = "spiffe://cluster.local/ns/default/sa/hello";

class Translate : public testing::Test {
 protected:
  std::vector<RefusedAnnotation> apply(std::string_view yaml) {
    return state_.apply(changes_of(yaml)).refused;
  }
  policy::Service service(std::string_view name) {
    const auto found = translate_service(state_.view(), name);
    EXPECT_TRUE(found) << name;
    return found.value_or(policy::Service{});
  }
  policy::AddressOwner owner(std::string_view address) {
    return translate_address(state_.view(), at(address));
  }
  policy::InboundPolicy inbound(std::string_view pod) {
    const auto found = translate_inbound(state_.view(), "default", pod);
    EXPECT_TRUE(found) << pod;
    return found.value_or(policy::InboundPolicy{});
  }
  static std::vector<std::string> addresses(const policy::Service& service) {
    std::vector<std::string> out;
    out.reserve(service.endpoints.size());
    for (const policy::Endpoint& endpoint : service.endpoints) out.push_back(endpoint.address.to_string());
    return out;
  }
  static const policy::InboundPort& port(const policy::InboundPolicy& policy, std::uint16_t number) {
    for (const policy::InboundPort& entry : policy.ports)
      if (entry.port == number) return entry;
    ADD_FAILURE() << "no entry for port " << number;
    return policy.ports.front();
  }
  static std::vector<std::string> rule_names(const policy::InboundPort& port) {
    std::vector<std::string> out;
    out.reserve(port.rules.size());
    for (const policy::RbacRule& rule : port.rules) out.push_back(rule.name);
    return out;
  }

  State state_{test_mesh()};
};

}  // namespace weft::discovery
