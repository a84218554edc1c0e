#include "ca/template.h"

#include <algorithm>

#include "base/text.h"

namespace weft::ca {
namespace {

using namespace std::chrono_literals;

constexpr auto root_lifetime = 24h * 3652;  // ten years
constexpr auto root_backdate = 1h;          // no leaf is to begin before its root

WallTime::duration coarse(Duration time) { return std::chrono::duration_cast<WallTime::duration>(time); }

bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  for (const auto label : split(name, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    const bool plain = std::all_of(label.begin(), label.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
    if (!plain) return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> IssuePolicy::dns_names_of(const SpiffeId& id) const {
  if (id.trust_domain != trust_domain) return {};
  const auto found = control_plane.find(str_cat(id.name_space, "/", id.service_account));
  return found == control_plane.end() ? std::vector<std::string>() : found->second;
}

Status add_control_plane(IssuePolicy& policy, std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(Code::invalid, str_cat("control-plane account '", printable(text), "': ", why,
                                       "; expected NAMESPACE/ACCOUNT=DNS-NAME,…"));
  };
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return bad("no '='");
  const auto account = text.substr(0, equals);
  if (!SpiffeId::parse(str_cat("spiffe://x/ns/", account.substr(0, account.find('/')), "/sa/",
                               account.find('/') == std::string_view::npos
                                   ? std::string_view()
                                   : account.substr(account.find('/') + 1)))) {
    return bad("the account is no NAMESPACE/ACCOUNT");
  }
  auto& names = policy.control_plane[std::string(account)];
  for (const auto name : split(text.substr(equals + 1), ',')) {
    if (!is_dns_name(name)) return bad(str_cat("'", printable(name), "' is no DNS name in lower case"));
    names.emplace_back(name);
  }
  return {};
}

Result<tls::CertificateTemplate> leaf_template(const SpiffeId& id, const IssuePolicy& policy, Duration asked,
                                               WallTime now, WallTime signer_not_after, std::string serial) {
  if (now >= signer_not_after) {
    return fail(Code::unavailable,
                str_cat("the CA's signing certificate expired at ", format_time(signer_not_after)));
  }
  Duration lifetime =
      asked <= Duration::zero() ? policy.leaf_lifetime : std::min(asked, policy.leaf_lifetime);
  lifetime = std::clamp<Duration>(lifetime, leaf_lifetime_min, leaf_lifetime_max);
  tls::CertificateTemplate leaf;
  leaf.serial = std::move(serial);
  leaf.uris = {id.to_string()};
  leaf.dns_names = policy.dns_names_of(id);
  leaf.not_before = now - backdate;
  leaf.not_after = std::min(now + coarse(lifetime), signer_not_after);
  leaf.server_auth = true;
  leaf.client_auth = true;
  return leaf;
}

tls::CertificateTemplate root_template(const std::string& trust_domain, WallTime now, std::string serial) {
  tls::CertificateTemplate root;
  root.serial = std::move(serial);
  root.organization = trust_domain;
  root.common_name = "weft root";
  root.uris = {trust_domain_uri(trust_domain)};
  root.not_before = now - root_backdate;
  root.not_after = now + root_lifetime;
  root.is_ca = true;
  return root;
}

std::string trust_domain_uri(const std::string& trust_domain) { return str_cat("spiffe://", trust_domain); }

}  // namespace weft::ca
