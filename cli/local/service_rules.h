// The stand-in for kube-proxy: iptables rules that turn a ClusterIP into one of its endpoints at random.
// Pure: it makes the text that iptables-restore or ip6tables-restore loads, in one transaction, in place of
// what was there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"

namespace weft::local {

struct ServiceAddress {
  Address address;  // ClusterIP and port
  bool udp = false;
  std::vector<Address> endpoints;  // ready ones, of the same family; none: connections are refused
  bool operator==(const ServiceAddress&) const = default;
};

struct ServiceRules {
  std::vector<ServiceAddress> services;
  std::vector<IpAddress> pods;  // a pod that calls itself through a ClusterIP needs its source hidden
  bool operator==(const ServiceRules&) const = default;
};

// The rules of one family; what belongs to the other is left out.
std::string iptables_text(const ServiceRules& rules, bool v6);

}  // namespace weft::local
