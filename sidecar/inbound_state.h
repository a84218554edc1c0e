// The inbound policy with its rules compiled, made once per change on the control thread and then shared,
// immutable, by all workers.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/inbound.h"
#include "policy/rbac.h"
#include "policy/snapshot.h"

namespace weft::sidecar {

class InboundState {
 public:
  struct Port {
    policy::InboundPort config;
    policy::PortRules rules;
  };
  InboundState(policy::InboundPolicy policy, std::string_view trust_domain);

  const policy::InboundPolicy& policy() const { return policy_; }
  // What governs `port`: its own entry, or the one that stands for all others.
  const Port& port(std::uint16_t port) const;

 private:
  policy::InboundPolicy policy_;
  std::vector<Port> ports_;  // as policy_.ports
};

}  // namespace weft::sidecar
