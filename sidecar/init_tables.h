// The iptables programs of this system, and what the network namespace has to offer. Blocks.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "sidecar/init_rules.h"

namespace weft::sidecar {

enum class Ipv6State {
  absent,  // the kernel has none
  off,     // switched off by sysctl in this namespace
  on,
};
Ipv6State ipv6_state();

bool has_net_admin();  // CAP_NET_ADMIN in force

// One family's nat and filter tables, through iptables-restore and iptables-save (or ip6tables-…) of
// whichever backend works: the system's choice first, then the legacy and the nftables one by name.
class Tables {
 public:
  // not_found: no such program. refused: the tables cannot be read.
  static Result<Tables> open(Family family, const std::string& search_path);

  Result<std::string> save() const;
  Status restore(const std::string& text) const;

 private:
  Tables(std::string save_program, std::string restore_program)
      : save_program_(std::move(save_program)), restore_program_(std::move(restore_program)) {}
  std::string save_program_;
  std::string restore_program_;
};

}  // namespace weft::sidecar
