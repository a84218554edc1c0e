#include "sidecar/inbound_state.h"

#include <algorithm>

namespace weft::sidecar {

InboundState::InboundState(policy::InboundPolicy policy, std::string_view trust_domain)
    : policy_(std::move(policy)) {
  ports_.reserve(policy_.ports.size());
  for (const policy::InboundPort& port : policy_.ports) {
    ports_.push_back(Port{port, policy::PortRules(port, policy_.default_policy, trust_domain)});
  }
}

const InboundState::Port& InboundState::port(std::uint16_t port) const {
  const policy::InboundPort& found = policy::inbound_port(policy_, port);
  return ports_[static_cast<std::size_t>(&found - policy_.ports.data())];
}

}  // namespace weft::sidecar
