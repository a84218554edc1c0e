// The CA's signing key and certificates. Made once at start; immutable afterwards; signs on any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ca/template.h"
#include "tls/certificate.h"
#include "tls/key.h"

namespace weft::ca {

class Authority {
 public:
  // One file with key and self-signed root, mode 0600. Where there is none it is made; of several CAs that
  // start at once on the same file one makes it and the others read it.
  static Result<std::unique_ptr<Authority>> from_key_file(const std::string& path,
                                                          const std::string& trust_domain, WallTime now);
  // What the user supplies: ca-cert.pem, ca-key.pem, root-cert.pem and, where there are certificates between
  // the first and the last, cert-chain.pem.
  static Result<std::unique_ptr<Authority>> from_folder(const std::string& folder,
                                                        const std::string& trust_domain, WallTime now);

  struct Issued {
    tls::Certificate leaf;
    // PEM: leaf, the certificates between, the root last; what CreateCertificate answers.
    std::vector<std::string> chain;
  };
  // A leaf for `id` and `key`. Whether it may be had was decided before (validator.h).
  Result<Issued> issue(const SpiffeId& id, const tls::PublicKey& key, const IssuePolicy& policy,
                       Duration asked, WallTime now) const;

  const std::string& roots_pem() const { return roots_pem_; }
  const tls::Certificate& signing_certificate() const { return signer_; }
  // The first of the signing certificate, those between and the root to expire.
  WallTime not_after() const { return not_after_; }

 private:
  Authority(tls::PrivateKey key, tls::Certificate signer, std::vector<tls::Certificate> between,
            std::string roots_pem, WallTime not_after);
  static Result<std::unique_ptr<Authority>> checked(tls::PrivateKey key, tls::Certificate signer,
                                                    std::vector<tls::Certificate> between,
                                                    std::vector<tls::Certificate> roots,
                                                    const std::string& trust_domain, WallTime now);

  tls::PrivateKey key_;
  tls::Certificate signer_;
  std::vector<tls::Certificate> between_;  // from the signing certificate up, without the root
  std::string roots_pem_;
  WallTime not_after_;
};

}  // namespace weft::ca
