// A CA and workloads that keep their certificates fresh, for a while of virtual time, in which whatever can
// go wrong does, as one seed draws it: the CA is away, starts again, changes its root; connections break;
// token keys, token files and trust bundles change or are broken. Then all is well again.
//
// Invariants, each a finding where it does not hold: a certificate that arrives is for the workload's own
// identity and a new key, and valid; two workloads with valid certificates believe each other, also while the
// root changes; nobody gets a certificate of somebody else's identity; once all is well everybody has a fresh
// certificate; nothing is left.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ca/server.h"
#include "kube/workload_identity.h"
#include "tests/lib/kube/fake_ca.h"
#include "tests/sim/later.h"
#include "tests/sim/sim_loop.h"
#include "tests/support/temp_dir.h"
#include "tls/jwt.h"

namespace weft::test {

class CaWorld {
 public:
  explicit CaWorld(std::uint64_t seed);
  ~CaWorld();
  const std::vector<std::string>& run();

  std::uint64_t issued() const { return certificates_.size(); }
  std::uint64_t failures() const { return failures_; }
  bool rotated() const { return rotates_; }

 private:
  struct Workload {
    std::string name;
    sim::SimLoop* loop;
    std::string account;  // of its token
    std::unique_ptr<kube::WorkloadIdentity> identity;
    // Names in the world's folder.
    std::string token_file() const { return account + "-token"; }
    std::string bundle_file() const { return account + "-roots.pem"; }
  };

  void add_workload(const std::string& name, const std::string& account);
  void start(Workload& workload);
  void received(const Workload& workload, const kube::WorkloadCredentials& fresh);
  void check_trust(const Workload& one, const kube::WorkloadCredentials& fresh);
  void start_ca();
  void write_bundle(const Workload& workload);
  void write_token(const Workload& workload);
  std::string token_keys() const;
  void publish_token_keys(const std::string& jwks);
  void refresh_tokens();
  void plan_rotation();
  void something_happens();
  void all_is_well();
  void check_end();
  void find(std::string finding) { findings_.push_back(std::move(finding)); }
  Workload& any_workload() { return *workloads_[random_.below(workloads_.size())]; }
  Duration up_to(std::chrono::seconds longest) {
    return std::chrono::seconds(1 + random_.below(static_cast<std::uint64_t>(longest.count())));
  }

  SeededRandom random_;
  sim::SimNetwork network_;
  TempDir files_;
  sim::SimLoop& clock_;
  sim::SimLoop& ca_loop_;
  Later later_;
  bool rotates_;
  std::string roots_;  // what the bundle files say
  std::unique_ptr<ca::Authority> first_authority_;
  std::unique_ptr<ca::Authority> second_authority_;
  const ca::Authority* authority_;
  std::vector<tls::PrivateKey> token_keys_;  // the last one signs
  std::unique_ptr<ca::TokenVerifier> tokens_;
  ca::IssuePolicy policy_;
  std::unique_ptr<ca::Server> server_;
  FakeResolver resolver_;
  std::vector<std::unique_ptr<Workload>> workloads_;  // the last one has another's token
  std::vector<tls::Certificate> certificates_;
  std::uint64_t failures_ = 0;
  std::vector<std::string> findings_;
};

}  // namespace weft::test
