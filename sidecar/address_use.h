// Which addresses the pod's connections go to, and since when they do not: so that what nobody dials any more
// can be given back to discovery. Pure; control thread.
#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "base/random.h"

namespace weft::sidecar {

class AddressUse {
 public:
  // `address` is in use now, and wanted for limits::address_unused_max from now on, more or less.
  void used(const Address& address, MonotonicTime now, Random& random);
  bool contains(const Address& address) const { return places_.contains(address); }
  // Those whose time is over; they are forgotten.
  std::vector<Address> take_unused(MonotonicTime now);
  // The one that was used longest ago, to make room; it is forgotten.
  std::optional<Address> take_oldest();
  std::size_t size() const { return places_.size(); }

 private:
  struct Entry {
    Address address;
    MonotonicTime wanted_until;
  };
  Address take_front();

  std::list<Entry> by_use_;  // most recent last
  std::unordered_map<Address, std::list<Entry>::iterator> places_;
};

}  // namespace weft::sidecar
