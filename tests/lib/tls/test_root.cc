#include "tests/lib/tls/test_root.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

tls::Certificate make_root(const tls::PrivateKey& key, WallTime now) {
  tls::CertificateTemplate tmpl;
  tmpl.serial = tls::random_serial();
  tmpl.organization = "cluster.local";
  tmpl.common_name = "test root";
  tmpl.not_before = now - 24h;
  tmpl.not_after = now + 24h * 365;
  tmpl.is_ca = true;
  return tls::sign_certificate(tmpl, key.public_key(), nullptr, key).value();
}

}  // namespace

TestRoot::TestRoot(WallTime now)
    : now_(now), key_(tls::PrivateKey::generate().value()), certificate_(make_root(key_, now)) {}

tls::CertificateTemplate TestRoot::leaf(const std::string& id) const {
  tls::CertificateTemplate tmpl;
  tmpl.serial = tls::random_serial();
  tmpl.uris = {id};
  tmpl.not_before = now_ - 1min;
  tmpl.not_after = now_ + 1h;
  tmpl.server_auth = true;
  tmpl.client_auth = true;
  return tmpl;
}

std::shared_ptr<const tls::Svid> TestRoot::sign(const tls::CertificateTemplate& tmpl) const {
  auto key = tls::PrivateKey::generate().value();
  auto certificate = tls::sign_certificate(tmpl, key.public_key(), &certificate_, key_).value();
  const SpiffeId id = certificate.spiffe_id().value_or(SpiffeId{"cluster.local", "default", "test"});
  return std::make_shared<const tls::Svid>(
      tls::Svid{std::move(key), {certificate}, id, tmpl.not_before, tmpl.not_after});
}

std::shared_ptr<const tls::TrustBundle> TestRoot::bundle(const std::string& trust_domain) const {
  return std::make_shared<const tls::TrustBundle>(std::vector<tls::Certificate>{certificate_}, trust_domain);
}

WallTime noon() { return WallTime(std::chrono::seconds(1780315200)); }

}  // namespace weft::test
