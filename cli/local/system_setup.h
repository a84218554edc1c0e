// Kernel settings of the node's and the pods' network namespaces. Blocking; for the thread whose network
// namespace is meant.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "cli/local/addresses.h"
#include "cli/local/process.h"

namespace weft::local {

// Loopback up with the node's and cluster DNS' addresses, forwarding on, IPv6 as wanted. In the node's
// namespace, once.
Status set_up_node_network(bool ipv6);

// Switches IPv6 off in the node where ip6tables does not work, with a warning: pods' IPv6 could not be sent
// to their sidecars, and would go past them.
void leave_out_ipv6_that_cannot_be_redirected(Reaper& reaper);

// A way out for ClusterIPs, so that what the node itself sends to them comes as far as the address
// translation, and what has no endpoint as far as the rule that refuses it.
Status add_service_route(Reaper& reaper);

// A pod's network: a namespace that lives as long as this descriptor or a process in it, joined to the node
// by a point-to-point veth pair with /32 and /128 routes. Point-to-point, because on a bridge a ClusterIP
// that is a neighbour's would never pass the node's address translation.
Result<UniqueFd> make_pod_network(Reaper& reaper, std::uint32_t index, bool ipv6);

// Runs `work` in another network namespace, on this thread, which then comes back.
Status in_network(int namespace_fd, const Function<void()>& work);

}  // namespace weft::local
