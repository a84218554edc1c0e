// Kernel settings of the node's and the pods' network namespaces. Blocking; for the thread whose network
// namespace is meant.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "cli/local/addresses.h"
#include "cli/local/process.h"

namespace weft::local {

// Loopback up with the node's and cluster DNS' addresses, forwarding on. In the node's namespace, once.
Status set_up_node_network();

// A way out for ClusterIPs, so that what the node itself sends to them comes as far as the address
// translation, and what has no endpoint as far as the rule that refuses it.
Status add_service_route(Reaper& reaper);

// A pod's network: a namespace that lives as long as this descriptor or a process in it, joined to the node
// by a point-to-point veth pair with /32 and /128 routes. Point-to-point, because on a bridge a ClusterIP
// that is a neighbour's would never pass the node's address translation.
Result<UniqueFd> make_pod_network(Reaper& reaper, std::uint32_t index);

// Runs `work` in another network namespace, on this thread, which then comes back.
Status in_network(int namespace_fd, const Function<void()>& work);

}  // namespace weft::local
