#include "ca/settings.h"

#include "base/text.h"

namespace weft::ca {
namespace {

Result<std::vector<Endpoint>> endpoints_of(const std::vector<std::string>& texts, std::string_view flag) {
  std::vector<Endpoint> out;
  for (const auto& text : texts) {
    auto parsed = parse_listen(text);
    if (!parsed) return fail(parsed.error().in(flag));
    out.insert(out.end(), parsed->begin(), parsed->end());
  }
  return out;
}

Result<IssuePolicy> policy_of(const Flags& flags) {
  IssuePolicy policy;
  policy.trust_domain = flags.trust_domain;
  if (!SpiffeId::parse(SpiffeId{flags.trust_domain, "x", "x"}.to_string())) {
    return fail(Code::invalid, str_cat("--trust-domain: '", printable(flags.trust_domain),
                                       "': expected lower-case letters, digits, '.', '-' and '_'"));
  }
  const auto lifetime = parse_lifetime(flags.leaf_lifetime);
  if (!lifetime) return fail(lifetime.error().in("--leaf-lifetime"));
  if (*lifetime < leaf_lifetime_min || *lifetime > leaf_lifetime_max) {
    return fail(Code::invalid, str_cat("--leaf-lifetime: '", flags.leaf_lifetime, "': expected 10m to 7d"));
  }
  policy.leaf_lifetime = *lifetime;
  for (const auto& text : flags.control_plane) {
    if (const auto added = add_control_plane(policy, text); !added)
      return fail(added.error().in("--control-plane"));
  }
  return policy;
}

Result<ServingIdentity> serving_of(const Flags& flags) {
  const auto slash = flags.account.find('/');
  const auto name_space = flags.account.substr(0, slash);
  const auto account = slash == std::string::npos ? std::string() : flags.account.substr(slash + 1);
  auto id = SpiffeId::parse(SpiffeId{flags.trust_domain, name_space, account}.to_string());
  if (!id) {
    return fail(Code::invalid,
                str_cat("--account: '", printable(flags.account), "': expected NAMESPACE/ACCOUNT"));
  }
  return ServingIdentity{*std::move(id), flags.dns_names};
}

}  // namespace

Result<Settings> read_flags(const Flags& flags) {
  Settings settings;
  if (flags.key_file.empty() == flags.ca_folder.empty()) {
    return fail(Code::invalid,
                "give either --key-file (made when there is none) or --ca-folder (your own CA)");
  }
  if (flags.jwks.empty())
    return fail(Code::invalid, "give --jwks, the keys that sign service-account tokens");
  if (flags.audiences.empty()) return fail(Code::invalid, "--audience: at least one is needed");
  WEFT_ASSIGN(settings.listen, endpoints_of(flags.listen, "--listen"));
  WEFT_ASSIGN(settings.metrics, endpoints_of(flags.metrics, "--metrics"));
  WEFT_ASSIGN(settings.policy, policy_of(flags));
  WEFT_ASSIGN(settings.serving, serving_of(flags));
  const auto level = log::parse_level(flags.log_level);
  if (!level) return fail(Code::invalid, "--log-level: expected debug, info, warning, error or off");
  settings.log_level = *level;
  return settings;
}

Result<std::vector<Endpoint>> parse_listen(std::string_view text) {
  if (const auto port = parse_number<std::uint16_t>(text)) {
    return std::vector<Endpoint>{{Address{IpAddress(), *port}, false},
                                 {Address{IpAddress::v6({}), *port}, true}};
  }
  auto address = Address::parse(text);
  if (!address) {
    return fail(Code::invalid,
                str_cat("'", printable(text), "': expected PORT or ADDRESS:PORT, as 15012 or [::1]:15012"));
  }
  return std::vector<Endpoint>{{*address, false}};
}

Result<Duration> parse_lifetime(std::string_view text) {
  const auto number =
      text.empty() ? std::nullopt : parse_number<std::uint32_t>(text.substr(0, text.size() - 1));
  const char unit = text.empty() ? ' ' : text.back();
  if (number && *number <= 1'000'000) {
    if (unit == 's') return std::chrono::seconds(*number);
    if (unit == 'm') return std::chrono::minutes(*number);
    if (unit == 'h') return std::chrono::hours(*number);
    if (unit == 'd') return std::chrono::hours(24) * *number;
  }
  return fail(Code::invalid, str_cat("'", printable(text), "': expected a number and s, m, h or d, as 24h"));
}

}  // namespace weft::ca
