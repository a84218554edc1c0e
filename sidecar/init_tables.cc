#include "sidecar/init_tables.h"

#include <unistd.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <vector>

#include "base/text.h"
#include "sidecar/init_command.h"

namespace weft::sidecar {
namespace {

using namespace std::chrono_literals;

// xtables waits this long for another program's lock, and a little later we stop waiting for it.
constexpr std::string_view lock_wait_seconds = "30";
constexpr auto silence_max = 40s;
constexpr unsigned cap_net_admin = 12;  // linux/capability.h

std::vector<std::string> table_environment() {
  std::vector<std::string> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  // The legacy backend cannot do without its lock file; a container's root may be read-only.
  if (access("/run", W_OK) != 0) environment.push_back("XTABLES_LOCKFILE=/dev/shm/xtables.lock");
  return environment;
}

Result<std::string> run_save(const std::string& program) {
  std::string saved;
  // By name: a table that nobody has used yet is left out otherwise.
  for (const std::string_view table : {"filter", "nat"}) {
    WEFT_ASSIGN(const CommandOutput output,
                run_command(program, {"-t", std::string(table)}, table_environment(), "", silence_max));
    if (output.exit_code != 0) {
      return fail(Code::refused, str_cat(program, " -t ", table, ": exit code ", output.exit_code, ": ",
                                         printable(trim(output.err), 512)));
    }
    saved += output.out;
  }
  return saved;
}

std::vector<std::string> lines_of(const char* path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

}  // namespace

Ipv6State ipv6_state() {
  constexpr auto addresses_path = "/proc/net/if_inet6";
  if (access(addresses_path, F_OK) != 0) return Ipv6State::absent;
  const auto disabled = lines_of("/proc/sys/net/ipv6/conf/all/disable_ipv6");
  // A device may have been switched on again by itself: then there are addresses.
  if (!disabled.empty() && disabled.front() == "1" && lines_of(addresses_path).empty()) return Ipv6State::off;
  return Ipv6State::on;
}

bool has_net_admin() {
  for (const std::string& line : lines_of("/proc/self/status")) {
    constexpr std::string_view key = "CapEff:\t";
    if (!line.starts_with(key)) continue;
    const std::string_view digits = std::string_view(line).substr(key.size());
    unsigned long long capabilities = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), capabilities, 16);
    return (capabilities >> cap_net_admin & 1) != 0;
  }
  return false;
}

Result<Tables> Tables::open(Family family, const std::string& search_path) {
  const std::string base = family == Family::v4 ? "iptables" : "ip6tables";
  std::optional<Error> first_error;
  for (const std::string_view variant : {"", "-legacy", "-nft"}) {
    const auto save = find_program(str_cat(base, variant, "-save"), search_path);
    const auto restore = find_program(str_cat(base, variant, "-restore"), search_path);
    if (!save || !restore) continue;
    auto saved = run_save(*save);
    if (saved) return Tables(*save, *restore);
    if (!first_error) first_error = saved.error();
  }
  if (first_error) return fail(*first_error);
  return fail(Code::not_found, str_cat("no ", base, "-restore in ", printable(search_path, 512),
                                       ": install the package iptables"));
}

Result<std::string> Tables::save() const { return run_save(save_program_); }

Status Tables::restore(const std::string& text) const {
  WEFT_ASSIGN(const CommandOutput output,
              run_command(restore_program_, {"-w", std::string(lock_wait_seconds), "--noflush"},
                          table_environment(), text, silence_max));
  if (output.exit_code != 0) {
    return fail(Code::refused, str_cat(restore_program_, ": exit code ", output.exit_code, ": ",
                                       printable(trim(output.err), 1024),
                                       "; connections are redirected as before, or not at all"));
  }
  return {};
}

}  // namespace weft::sidecar
