// The stand-in for the endpoint controller: which ready pods stand behind which Service, as iptables rules
// and as a DNS zone. Pure.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cli/local/addresses.h"
#include "cli/local/dns.h"
#include "cli/local/service_rules.h"
#include "kube/objects.h"

namespace weft::local {

struct EndpointPod {
  const kube::Pod* pod = nullptr;
  std::vector<IpAddress> addresses;
  bool ready = false;
};

using ObjectKey = std::pair<std::string, std::string>;  // namespace, name

struct EndpointWorld {
  const std::map<ObjectKey, kube::Service>& services;
  const std::map<ObjectKey, kube::EndpointSlice>& slices;
  std::vector<EndpointPod> pods;
};

ServiceRules make_service_rules(const EndpointWorld& world);
DnsZone make_zone(const EndpointWorld& world);

}  // namespace weft::local
