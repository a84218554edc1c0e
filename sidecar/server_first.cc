#include "sidecar/server_first.h"

namespace weft::sidecar {

bool ServerFirst::contains(const Address& address, const Basis& basis) const {
  const auto found = learned_.find(address);
  return found != learned_.end() && !found->second.owner_before(basis) && !basis.owner_before(found->second);
}

void ServerFirst::learn(const Address& address, const Basis& basis) {
  // Whichever goes is learned again at the price of one wait.
  if (learned_.size() >= addresses_max && !learned_.contains(address)) learned_.erase(learned_.begin());
  learned_.insert_or_assign(address, basis);
}

}  // namespace weft::sidecar
