#include "sidecar/init_rules.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/text.h"

namespace weft::sidecar {
namespace {

// iptables-save prints a block with its host bits cleared.
std::string masked(const Cidr& cidr) {
  std::array<std::uint8_t, 16> bytes = cidr.ip.bytes();
  for (std::size_t bit = cidr.prefix_bits; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] & ~(0x80u >> (bit % 8)));
  }
  const IpAddress ip = cidr.ip.is_v6()
                           ? IpAddress::v6(bytes)
                           : IpAddress::v4(std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
                                           std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]});
  return Cidr{ip, cidr.prefix_bits}.to_string();
}

enum class Side { source, destination };

std::string pass_ports(std::string_view chain, const policy::PortRange& ports,
                       Side side = Side::destination) {
  const std::string last = ports.last == ports.first ? "" : str_cat(":", ports.last);
  const std::string_view match = side == Side::source ? "--sport " : "--dport ";
  return str_cat("-A ", chain, " -p tcp -m tcp ", match, ports.first, last, " -j RETURN");
}

std::vector<std::string> inbound_rules(const RuleSettings& settings) {
  std::vector<std::string> rules = {"-A WEFT_INBOUND -i lo -j RETURN"};
  for (const std::uint16_t port : settings.own_ports)
    rules.push_back(pass_ports("WEFT_INBOUND", {port, port}));
  for (const auto& ports : settings.exclude_inbound_ports) rules.push_back(pass_ports("WEFT_INBOUND", ports));
  rules.push_back(str_cat("-A WEFT_INBOUND -p tcp -j REDIRECT --to-ports ", settings.inbound_port));
  return rules;
}

std::string pass_uid(std::string_view chain, std::uint32_t uid) {
  return str_cat("-A ", chain, " -m owner --uid-owner ", uid, " -j RETURN");
}

// What of the pod's outgoing traffic does not go through the proxy, the proxy's own aside.
void pass_outbound_exclusions(std::vector<std::string>& rules, std::string_view chain,
                              const RuleSettings& settings, Family family) {
  rules.push_back(str_cat("-A ", chain, " -o lo -j RETURN"));
  rules.push_back(
      str_cat("-A ", chain, " -d ", family == Family::v4 ? "127.0.0.0/8" : "::1/128", " -j RETURN"));
  for (const std::uint32_t uid : settings.exclude_uids) rules.push_back(pass_uid(chain, uid));
  for (const Cidr& cidr : settings.exclude_outbound_cidrs) {
    if (cidr.ip.is_v6() != (family == Family::v6)) continue;
    // A block of everything is no condition at all, and is printed as none.
    const std::string condition = cidr.prefix_bits == 0 ? "" : str_cat(" -d ", masked(cidr));
    rules.push_back(str_cat("-A ", chain, condition, " -j RETURN"));
  }
  for (const auto& ports : settings.exclude_outbound_ports) rules.push_back(pass_ports(chain, ports));
}

std::vector<std::string> outbound_rules(const RuleSettings& settings, Family family) {
  std::vector<std::string> rules = {pass_uid("WEFT_OUTPUT", settings.proxy_uid)};
  pass_outbound_exclusions(rules, "WEFT_OUTPUT", settings, family);
  rules.push_back(str_cat("-A WEFT_OUTPUT -p tcp -j REDIRECT --to-ports ", settings.outbound_port));
  return rules;
}

std::vector<std::string> invalid_rules(const RuleSettings& settings, Family family) {
  std::vector<std::string> rules = {
      str_cat("-A WEFT_INVALID -p tcp -m tcp --sport ", settings.inbound_port, " -j DROP")};
  for (const std::uint16_t port : settings.own_ports) {
    if (port != settings.inbound_port)
      rules.push_back(pass_ports("WEFT_INVALID", {port, port}, Side::source));
  }
  for (const auto& ports : settings.exclude_inbound_ports)
    rules.push_back(pass_ports("WEFT_INVALID", ports, Side::source));
  rules.push_back(pass_uid("WEFT_INVALID", settings.proxy_uid));
  rules.push_back("-A WEFT_INVALID -p tcp -m tcp --tcp-flags RST RST -j DROP");
  pass_outbound_exclusions(rules, "WEFT_INVALID", settings, family);
  rules.push_back("-A WEFT_INVALID -j DROP");
  return rules;
}

struct Chain {
  std::string_view name;
  std::string_view jump;  // to it
  std::vector<std::string> rules;
};
struct Table {
  std::string_view name;
  std::vector<Chain> chains;
};

// The filter comes first: nothing is redirected without it.
std::vector<Table> tables_of(const RuleSettings& settings, Family family) {
  return {{"filter",
           {{"WEFT_INVALID", "OUTPUT -p tcp -m conntrack --ctstate INVALID -j WEFT_INVALID",
             invalid_rules(settings, family)}}},
          {"nat",
           {{"WEFT_INBOUND", "PREROUTING -p tcp -j WEFT_INBOUND", inbound_rules(settings)},
            {"WEFT_OUTPUT", "OUTPUT -p tcp -j WEFT_OUTPUT", outbound_rules(settings, family)}}}};
}

std::size_t count_rule(std::string_view saved, std::string_view rule) {
  const std::string line = str_cat("-A ", rule);
  const auto lines = split(saved, '\n');
  return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), std::string_view(line)));
}

template <class T, class ParseOne>
Result<std::vector<T>> parse_list(std::string_view text, std::string_view expected, ParseOne parse_one) {
  std::vector<T> values;
  if (trim(text).empty()) return values;
  for (const std::string_view piece : split(text, ',')) {
    const std::string_view element = trim(piece);
    const auto value = parse_one(element);
    if (!value) {
      return fail(Code::invalid, str_cat("column ", piece.data() - text.data() + 1, ": '", printable(element),
                                         "' is not ", expected));
    }
    if (std::find(values.begin(), values.end(), *value) == values.end()) values.push_back(*value);
  }
  return values;
}

}  // namespace

std::string_view family_name(Family family) { return family == Family::v4 ? "IPv4" : "IPv6"; }

Result<std::vector<policy::PortRange>> parse_port_list(std::string_view text) {
  return parse_list<policy::PortRange>(
      text, "a port (1 to 65535) or a range such as 8000-8010",
      [](std::string_view element) -> std::optional<policy::PortRange> {
        const std::size_t dash = element.find('-');
        const auto first = parse_number<std::uint16_t>(element.substr(0, dash));
        const auto last =
            dash == std::string_view::npos ? first : parse_number<std::uint16_t>(element.substr(dash + 1));
        if (!first || !last || *first == 0 || *last < *first) return std::nullopt;
        return policy::PortRange{*first, *last};
      });
}

Result<std::vector<Cidr>> parse_cidr_list(std::string_view text) {
  return parse_list<Cidr>(text, "an address block such as 198.18.0.0/15 or 2001:2::/48", Cidr::parse);
}

Result<std::vector<std::uint32_t>> parse_uid_list(std::string_view text) {
  return parse_list<std::uint32_t>(text, "a user id (a whole number)", parse_number<std::uint32_t>);
}

std::vector<std::string> expected_rules(const RuleSettings& settings, Family family) {
  std::vector<std::string> rules;
  for (const Table& table : tables_of(settings, family)) {
    for (const Chain& chain : table.chains) rules.push_back(str_cat("-A ", chain.jump));
    for (const Chain& chain : table.chains) rules.insert(rules.end(), chain.rules.begin(), chain.rules.end());
  }
  return rules;
}

std::string restore_text(const RuleSettings& settings, Family family, std::string_view saved) {
  std::string text;
  for (const Table& table : tables_of(settings, family)) {
    text += str_cat("*", table.name, "\n");
    // Naming a chain makes it, or empties it where it stands already; both take effect only at COMMIT.
    for (const Chain& chain : table.chains) text += str_cat(":", chain.name, " - [0:0]\n");
    for (const Chain& chain : table.chains) {
      const std::size_t standing = count_rule(saved, chain.jump);
      for (std::size_t extra = 1; extra < standing; ++extra) text += str_cat("-D ", chain.jump, "\n");
      if (standing > 0) continue;
      // In front, so that no other rule of the namespace takes connections past the proxy.
      const std::size_t space = chain.jump.find(' ');
      text += str_cat("-I ", chain.jump.substr(0, space), " 1", chain.jump.substr(space), "\n");
    }
    for (const Chain& chain : table.chains) text += join(chain.rules, "\n") + "\n";
    text += "COMMIT\n";
  }
  return text;
}

std::vector<std::string> rule_faults(const RuleSettings& settings, Family family, std::string_view saved) {
  const std::vector<std::string> expected = expected_rules(settings, family);
  std::vector<std::string> ours;
  for (const Table& table : tables_of(settings, family)) {
    for (const Chain& chain : table.chains) ours.emplace_back(chain.name);
  }
  std::vector<std::string> standing;
  for (const std::string_view line : split(saved, '\n')) {
    const bool of_ours = std::any_of(ours.begin(), ours.end(), [&](const std::string& chain) {
      return line.starts_with(str_cat("-A ", chain, " ")) || line.ends_with(str_cat("-j ", chain));
    });
    if (of_ours) standing.emplace_back(line);
  }
  if (standing.empty()) return {str_cat("none of the ", family_name(family), " rules is loaded")};
  std::vector<std::string> faults;
  auto has = [](const std::vector<std::string>& rules, const std::string& rule) {
    return std::find(rules.begin(), rules.end(), rule) != rules.end();
  };
  for (const std::string& rule : expected) {
    if (!has(standing, rule)) faults.push_back(str_cat(family_name(family), " rule missing: ", rule));
  }
  for (const std::string& rule : standing) {
    if (!has(expected, rule)) faults.push_back(str_cat(family_name(family), " rule not expected: ", rule));
  }
  if (faults.empty() && standing != expected) {
    faults.push_back(str_cat(family_name(family), " rules stand in another order, or more than once"));
  }
  return faults;
}

}  // namespace weft::sidecar
