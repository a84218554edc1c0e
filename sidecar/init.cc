#include "sidecar/init.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "sidecar/init_check.h"
#include "sidecar/init_tables.h"

namespace weft::sidecar {
namespace {

constexpr std::string_view no_rights =
    "no right to change the network rules (CAP_NET_ADMIN): run as root; in a pod the container weft-init "
    "needs "
    "securityContext.capabilities.add [NET_ADMIN, NET_RAW]";

// Loads the rules of one family and reads them back.
Status apply_rules(const InitOptions& options, Family family) {
  WEFT_ASSIGN(const Tables tables, Tables::open(family, options.search_path));
  WEFT_ASSIGN(const std::string before, tables.save());
  WEFT_TRY(tables.restore(restore_text(options.rules, family, before)));
  WEFT_ASSIGN(const std::string after, tables.save());
  const auto faults = rule_faults(options.rules, family, after);
  if (!faults.empty()) return fail(Code::internal, str_cat("after loading: ", join(faults, "; ")));
  log::info("connections are redirected", {{"family", std::string(family_name(family))},
                                           {"outbound", std::to_string(options.rules.outbound_port)},
                                           {"inbound", std::to_string(options.rules.inbound_port)}});
  return {};
}

// Best effort: in a cluster's container /proc/sys is read-only, and the filter's rules are enough for safety.
// Where it works, what the kernel would find INVALID for its window alone is redirected like the rest and not
// lost.
void relax_window_tracking() {
  constexpr auto path = "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal";
  if (std::ofstream file(path); !(file << "1" << std::flush)) {
    log::debug("packets beyond the window that the kernel believes in are dropped and come again",
               {{"file", path}, {"error", std::strerror(errno)}});
  }
}

Status apply_ipv6_rules(const InitOptions& options) {
  const Ipv6State state = ipv6_state();
  if (state == Ipv6State::absent) {
    log::info("IPv6 is left out: this kernel has none");
    return {};
  }
  auto applied = apply_rules(options, Family::v6);
  if (applied) return {};
  if (state == Ipv6State::off) {
    log::info("IPv6 is left out: it is switched off here", {{"ip6tables", applied.error().message}});
    return {};
  }
  return fail(applied.error().in(
      "IPv6 is on in this namespace but cannot be redirected, and would go past the proxy; load the kernel "
      "modules ip6table_nat, ip6table_filter and xt_conntrack on the node, or switch IPv6 off (sysctl "
      "net.ipv6.conf.all.disable_ipv6=1)"));
}

// What is wrong with one family, a sentence each.
std::vector<std::string> check_family(const InitOptions& options, Family family) {
  std::vector<std::string> faults;
  if (has_net_admin()) {
    const auto tables = Tables::open(family, options.search_path);
    const auto saved = tables ? tables->save() : fail(tables.error());
    faults = saved ? rule_faults(options.rules, family, *saved) : std::vector{saved.error().message};
  } else {
    log::warning("the rules cannot be read without CAP_NET_ADMIN: inbound redirection is not checked",
                 {{"family", std::string(family_name(family))}});
  }
  const auto proof = prove_outbound(options.rules, family);
  if (!proof) {
    faults.push_back(proof.error().message);
  } else if (*proof == Proof::no_route) {
    log::info("nothing can leave here, so only the rules were checked",
              {{"family", std::string(family_name(family))}});
  } else if (faults.empty()) {
    log::info("redirection works", {{"family", std::string(family_name(family))}});
  }
  return faults;
}

int check_all(const InitOptions& options) {
  std::vector<std::string> faults = check_family(options, Family::v4);
  if (ipv6_state() == Ipv6State::on) {
    for (std::string& fault : check_family(options, Family::v6)) faults.push_back(std::move(fault));
  }
  for (const std::string& fault : faults) log::error(fault);
  return faults.empty() ? 0 : 1;
}

}  // namespace

Result<InitOptions> parse_init_flags(const InitFlags& flags) {
  InitOptions options;
  options.check = flags.check;
  auto take = [](auto& into, auto parsed, std::string_view flag) -> Status {
    if (!parsed) return fail(parsed.error().in(flag));
    into = *std::move(parsed);
    return {};
  };
  RuleSettings& rules = options.rules;
  WEFT_TRY(take(rules.exclude_inbound_ports, parse_port_list(flags.exclude_inbound_ports),
                "--exclude-inbound-ports"));
  WEFT_TRY(take(rules.exclude_outbound_ports, parse_port_list(flags.exclude_outbound_ports),
                "--exclude-outbound-ports"));
  WEFT_TRY(take(rules.exclude_outbound_cidrs, parse_cidr_list(flags.exclude_outbound_cidrs),
                "--exclude-outbound-cidrs"));
  WEFT_TRY(take(rules.exclude_uids, parse_uid_list(flags.exclude_uids), "--exclude-uids"));
  return options;
}

int run_init(const InitOptions& options) {
  if (options.check) return check_all(options);
  if (!has_net_admin()) {
    log::error(no_rights);
    return 1;
  }
  // IPv6 first: where that fails, the pod is not left half redirected.
  auto applied = apply_ipv6_rules(options);
  if (applied) applied = apply_rules(options, Family::v4);
  if (!applied) {
    log::error(
        applied.error().message,
        {{"needs", "the kernel's iptable_nat, iptable_filter and xt_conntrack, or nftables with the same"}});
    return 1;
  }
  relax_window_tracking();
  return 0;
}

}  // namespace weft::sidecar
