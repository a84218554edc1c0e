// Undeclared ports whose server was seen to speak first: the next client there is not waited for. One per
// worker, for both directions.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>

#include "base/address.h"

namespace weft::sidecar {

class ServerFirst {
 public:
  // What is known of the port otherwise: its Service, the pod's policy. Once that is another object, so may
  // be the server, and what was learned holds no more.
  using Basis = std::shared_ptr<const void>;
  static constexpr std::size_t addresses_max = 1024;

  bool contains(const Address& address, const Basis& basis) const;
  void learn(const Address& address, const Basis& basis);
  // A client spoke first: it was wrong, or is no longer right.
  void forget(const Address& address) { learned_.erase(address); }
  std::size_t size() const { return learned_.size(); }

 private:
  std::unordered_map<Address, std::weak_ptr<const void>> learned_;
};

}  // namespace weft::sidecar
