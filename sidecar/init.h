// `weft-sidecar init`: programs the pod's iptables, IPv4 and IPv6, and exits. `--check` changes
// nothing and proves that redirection works. Runs before any event loop and blocks.
//
// IPv6: a kernel or a namespace without it is a fact and is logged. Where it is on, ip6tables must work: a
// pod whose IPv6 traffic goes past the proxy would be neither encrypted nor protected, so that is an error.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sidecar/init_rules.h"

namespace weft::sidecar {

struct InitOptions {
  RuleSettings rules;
  bool check = false;
  // Where the iptables programs are looked for; main passes PATH.
  std::string search_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
};

// The sub-command's flags as they stand on the command line.
struct InitFlags {
  std::string exclude_inbound_ports;   // --exclude-inbound-ports 9090,9091
  std::string exclude_outbound_ports;  // --exclude-outbound-ports
  std::string exclude_outbound_cidrs;  // --exclude-outbound-cidrs
  std::string exclude_uids;            // --exclude-uids
  bool check = false;                  // --check
};
// Errors name the flag, the column and what was expected.
Result<InitOptions> parse_init_flags(const InitFlags& flags);

// Returns the process's exit code: 0, or 1 after a log line that says what is wrong and what to do about it.
int run_init(const InitOptions& options);

}  // namespace weft::sidecar
