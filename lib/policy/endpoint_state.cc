#include "policy/endpoint_state.h"

namespace weft::policy {

std::shared_ptr<EndpointState> EndpointRegistry::get(const Address& address) {
  const std::lock_guard lock(mutex_);
  // The dead are swept when the map has doubled, so that each arrival costs little.
  if (states_.size() >= sweep_at_) {
    std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(64, states_.size() * 2);
  }
  std::weak_ptr<EndpointState>& kept = states_[address];
  std::shared_ptr<EndpointState> state = kept.lock();
  if (!state) {
    state = std::make_shared<EndpointState>();
    kept = state;
  }
  return state;
}

std::size_t EndpointRegistry::size() const {
  const std::lock_guard lock(mutex_);
  std::size_t alive = 0;
  for (const auto& [address, state] : states_) alive += state.expired() ? 0 : 1;
  return alive;
}

}  // namespace weft::policy
