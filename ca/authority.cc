#include "ca/authority.h"

#include <algorithm>

#include "base/text.h"
#include "ca/files.h"

namespace weft::ca {
namespace {

constexpr std::size_t certificates_bytes_max = 256 * 1024;

// Text of a file that need not be there; empty then.
Result<std::string> read_if_there(const std::string& path) {
  auto text = read_file(path, certificates_bytes_max);
  if (!text && text.error().code == Code::not_found) return std::string();
  return text;
}

Result<std::vector<tls::Certificate>> read_certificates(const std::string& path) {
  WEFT_ASSIGN(const auto text, read_file(path, certificates_bytes_max));
  auto chain = tls::parse_chain(text);
  if (!chain) return fail(chain.error().in(path));
  return chain;
}

Status create_key_file(const std::string& path, const std::string& trust_domain, WallTime now) {
  WEFT_ASSIGN(const auto key, tls::PrivateKey::generate());
  WEFT_ASSIGN(const auto root, tls::sign_certificate(root_template(trust_domain, now, tls::random_serial()),
                                                     key.public_key(), nullptr, key));
  const auto key_pem = key.to_pem();
  return create_secret_file(path, {key_pem.view(), root.to_pem()});
}

Result<tls::SecretText> read_or_create(const std::string& path, const std::string& trust_domain,
                                       WallTime now) {
  auto there = read_secret_file(path, 0077);
  if (there || there.error().code != Code::not_found) return there;
  const auto made = create_key_file(path, trust_domain, now);
  if (!made && made.error().code != Code::exists) return fail(made.error().in("make the CA's key"));
  return read_secret_file(path, 0077);  // ours, or that of the one who was quicker
}

// Signs a leaf that nobody gets and verifies it as a peer would: the one check that covers them all.
Status try_out(const tls::PrivateKey& key, const tls::Certificate& signer,
               const std::vector<tls::Certificate>& between, const std::vector<tls::Certificate>& roots,
               const std::string& trust_domain, WallTime now) {
  WEFT_ASSIGN(const auto leaf_key, tls::PrivateKey::generate());
  const SpiffeId id{trust_domain, "weft-system", "trial"};
  WEFT_ASSIGN(const auto tmpl, leaf_template(id, IssuePolicy{trust_domain, leaf_lifetime_min, {}}, {}, now,
                                             signer.not_after(), tls::random_serial()));
  WEFT_ASSIGN(const auto leaf, tls::sign_certificate(tmpl, leaf_key.public_key(), &signer, key));
  std::vector<tls::Certificate> chain{leaf};
  chain.insert(chain.end(), between.begin(), between.end());
  const tls::TrustBundle bundle(roots, trust_domain);
  for (const auto purpose : {tls::Purpose::client, tls::Purpose::server}) {
    if (const auto error = tls::verify_chain(chain, bundle, purpose, now)) {
      return fail(Code::invalid, str_cat("certificates it signs would be refused: ", error->message));
    }
  }
  return {};
}

}  // namespace

Authority::Authority(tls::PrivateKey key, tls::Certificate signer, std::vector<tls::Certificate> between,
                     std::string roots_pem, WallTime not_after)
    : key_(std::move(key)),
      signer_(std::move(signer)),
      between_(std::move(between)),
      roots_pem_(std::move(roots_pem)),
      not_after_(not_after) {}

Result<std::unique_ptr<Authority>> Authority::from_key_file(const std::string& path,
                                                            const std::string& trust_domain, WallTime now) {
  const auto text = read_or_create(path, trust_domain, now);
  if (!text) return fail(text.error());
  auto key = tls::PrivateKey::from_pem(text->view());
  if (!key) return fail(key.error().in(path));
  auto roots = tls::parse_chain(text->view());
  if (!roots) return fail(roots.error().in(path));
  const tls::Certificate signer = roots->front();
  auto authority = checked(*std::move(key), signer, {}, *std::move(roots), trust_domain, now);
  if (!authority) return fail(authority.error().in(path));
  return authority;
}

Result<std::unique_ptr<Authority>> Authority::from_folder(const std::string& folder,
                                                          const std::string& trust_domain, WallTime now) {
  const auto file = [&](std::string_view name) { return str_cat(folder, "/", name); };
  // A mounted Secret is often readable by the pod's group.
  auto text = read_secret_file(file("ca-key.pem"), 0007);
  if (!text) return fail(text.error());
  auto key = tls::PrivateKey::from_pem(text->view());
  if (!key) return fail(key.error().in(file("ca-key.pem")));
  WEFT_ASSIGN(auto own, read_certificates(file("ca-cert.pem")));
  WEFT_ASSIGN(auto roots, read_certificates(file("root-cert.pem")));
  WEFT_ASSIGN(const auto chain_text, read_if_there(file("cert-chain.pem")));

  // cert-chain.pem may begin with the signing certificate and end with the root, or have neither.
  const tls::Certificate signer = own.front();
  std::vector<tls::Certificate> between;
  const auto add = [&](const tls::Certificate& certificate) {
    const auto known = [&](const std::vector<tls::Certificate>& in) {
      return std::find(in.begin(), in.end(), certificate) != in.end();
    };
    if (!known(roots) && !known(between)) between.push_back(certificate);
  };
  for (const auto& certificate : own) add(certificate);
  if (!chain_text.empty()) {
    const auto chain = tls::parse_chain(chain_text);
    if (!chain) return fail(chain.error().in(file("cert-chain.pem")));
    for (const auto& certificate : *chain) add(certificate);
  }
  auto authority = checked(*std::move(key), signer, std::move(between), std::move(roots), trust_domain, now);
  if (!authority) return fail(authority.error().in(folder));
  return authority;
}

Result<std::unique_ptr<Authority>> Authority::checked(tls::PrivateKey key, tls::Certificate signer,
                                                      std::vector<tls::Certificate> between,
                                                      std::vector<tls::Certificate> roots,
                                                      const std::string& trust_domain, WallTime now) {
  if (!signer.is_ca()) return fail(Code::invalid, "the signing certificate is no CA certificate");
  if (!(signer.public_key() == key.public_key())) {
    return fail(Code::invalid, "the private key does not belong to the signing certificate");
  }
  for (const auto& uri : signer.uris()) {
    if (uri != trust_domain_uri(trust_domain)) {
      return fail(Code::invalid, str_cat("the signing certificate is of '", printable(uri),
                                         "', but the trust domain is ", trust_domain));
    }
  }
  WEFT_TRY(try_out(key, signer, between, roots, trust_domain, now));
  WallTime not_after = signer.not_after();
  for (const auto& certificate : between) not_after = std::min(not_after, certificate.not_after());
  // Roots that are on their way out or in may live shorter than the one in use.
  WallTime last_root{};
  std::string roots_pem;
  for (const auto& root : roots) {
    last_root = std::max(last_root, root.not_after());
    roots_pem += root.to_pem();
  }
  not_after = std::min(not_after, last_root);
  return std::unique_ptr<Authority>(
      new Authority(std::move(key), std::move(signer), std::move(between), std::move(roots_pem), not_after));
}

Result<Authority::Issued> Authority::issue(const SpiffeId& id, const tls::PublicKey& key,
                                           const IssuePolicy& policy, Duration asked, WallTime now) const {
  WEFT_ASSIGN(const auto tmpl, leaf_template(id, policy, asked, now, not_after_, tls::random_serial()));
  WEFT_ASSIGN(auto leaf, tls::sign_certificate(tmpl, key, &signer_, key_));
  std::vector<std::string> chain{leaf.to_pem()};
  for (const auto& certificate : between_) chain.push_back(certificate.to_pem());
  chain.push_back(roots_pem_);
  return Issued{std::move(leaf), std::move(chain)};
}

}  // namespace weft::ca
