// A root certificate of a test's own, that signs whatever a test wants to show to a peer, right or wrong.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/issue.h"
#include "tls/key.h"

namespace weft::test {

class TestRoot {
 public:
  explicit TestRoot(WallTime now);

  // A good leaf for `id`, to be spoilt by the test: valid from a minute ago for an hour.
  tls::CertificateTemplate leaf(const std::string& id) const;
  // Signs `tmpl` for a new key. The id in the result is a valid one, whatever the certificate says.
  std::shared_ptr<const tls::Svid> sign(const tls::CertificateTemplate& tmpl) const;
  std::shared_ptr<const tls::Svid> svid(const std::string& id) const { return sign(leaf(id)); }
  // Of a leaf that `spoil` was let loose on: a function of its template.
  template <class Spoil>
  std::shared_ptr<const tls::Svid> spoilt(const std::string& id, Spoil spoil) const {
    tls::CertificateTemplate tmpl = leaf(id);
    spoil(tmpl);
    return sign(tmpl);
  }
  std::shared_ptr<const tls::TrustBundle> bundle(const std::string& trust_domain = "cluster.local") const;

  const tls::Certificate& certificate() const { return certificate_; }
  const tls::PrivateKey& key() const { return key_; }
  WallTime now() const { return now_; }

 private:
  WallTime now_;
  tls::PrivateKey key_;
  tls::Certificate certificate_;
};

// 2026-06-01 12:00 UTC, for tests in virtual time.
WallTime noon();

}  // namespace weft::test
