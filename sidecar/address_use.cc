#include "sidecar/address_use.h"

#include "base/backoff.h"
#include "base/limits.h"

namespace weft::sidecar {

void AddressUse::used(const Address& address, MonotonicTime now, Random& random) {
  const auto [place, fresh] = places_.try_emplace(address);
  if (fresh)
    place->second = by_use_.insert(by_use_.end(), Entry{address, {}});
  else
    by_use_.splice(by_use_.end(), by_use_, place->second);
  place->second->wanted_until =
      now + jittered(limits::address_unused_max, limits::age_jitter_percent, random);
}

// In the order of use: one whose wait happened to be long holds back those behind it a little.
std::vector<Address> AddressUse::take_unused(MonotonicTime now) {
  std::vector<Address> unused;
  while (!by_use_.empty() && by_use_.front().wanted_until <= now) unused.push_back(take_front());
  return unused;
}

std::optional<Address> AddressUse::take_oldest() {
  if (by_use_.empty()) return std::nullopt;
  return take_front();
}

Address AddressUse::take_front() {
  const Address address = by_use_.front().address;
  places_.erase(address);
  by_use_.pop_front();
  return address;
}

}  // namespace weft::sidecar
