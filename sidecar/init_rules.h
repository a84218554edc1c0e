// The iptables rules of a pod, as text: pure, no I/O. `weft-sidecar init` hands the text to
// iptables-restore(8), which makes all of a table one transaction: at no moment is the pod without its rules.
//
//   nat PREROUTING -> WEFT_INBOUND  all TCP to the pod goes to the inbound port, but for: the loopback
//                                   device; the proxy's own ports (those bound to loopback then refuse by
//                                   themselves); excluded ports
//   nat OUTPUT -> WEFT_OUTPUT       all TCP of the pod goes to the outbound port, but for: the proxy's own
//                                   uid; what stays in the pod (the loopback device, which also carries a
//                                   call to the pod's own address, and the loopback ranges); excluded uids,
//                                   CIDRs and ports
//   filter OUTPUT -> WEFT_INVALID   packets of redirected connections that the kernel's connection tracking
//                                   finds INVALID, as beyond the window that it believes in, and so does not
//                                   redirect: dropped, and TCP sends them again
//
// What would become of those: one from the network reaches the application's port, where nobody knows the
// connection, and the kernel's reset ends it (the reset is dropped; it stands before the exclusions, for one
// side of a connection to the outbound port is on the loopback device). One of the proxy's would reach its
// caller from the inbound port, and be answered by a reset. One of the application's would leave past the
// proxy, unencrypted. Sockets that have no owner any more (TIME_WAIT) have no uid: an INVALID packet of
// theirs is dropped as well.
//
// A call to a Service that the pod itself stands behind leaves through the pod's device, so it is redirected,
// and the sidecar hands it over in the process. The proxy's own uid, not its gid, is the way past: one way
// less.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "policy/annotations.h"

namespace weft::sidecar {

enum class Family { v4, v6 };
std::string_view family_name(Family family);  // "IPv4", "IPv6"

struct RuleSettings {
  std::uint16_t outbound_port = 15001;
  std::uint16_t inbound_port = 15006;
  std::vector<std::uint16_t> own_ports = {15000, 15001, 15006, 15021, 15090};
  std::uint32_t proxy_uid = 1337;
  std::vector<policy::PortRange> exclude_inbound_ports;
  std::vector<policy::PortRange> exclude_outbound_ports;
  std::vector<Cidr> exclude_outbound_cidrs;  // of both families
  std::vector<std::uint32_t> exclude_uids;
};

// Comma-separated lists ("80,8000-8010") as the annotations write them too; an empty text is an empty list.
// Errors name the element and its column (from 1).
Result<std::vector<policy::PortRange>> parse_port_list(std::string_view text);
Result<std::vector<Cidr>> parse_cidr_list(std::string_view text);
Result<std::vector<std::uint32_t>> parse_uid_list(std::string_view text);

// The rules that must stand, in order, as iptables-save prints them.
std::vector<std::string> expected_rules(const RuleSettings& settings, Family family);

// Input for `iptables-restore --noflush`. `saved` is what iptables-save prints of both tables now: the rules
// that jump to weft's chains are added only where they are missing, so that running twice is running once,
// and foreign rules are left alone.
std::string restore_text(const RuleSettings& settings, Family family, std::string_view saved);

// What keeps `saved` from being as expected_rules() wants it, a sentence each; empty when all is well.
std::vector<std::string> rule_faults(const RuleSettings& settings, Family family, std::string_view saved);

}  // namespace weft::sidecar
