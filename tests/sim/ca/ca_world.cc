#include "tests/sim/ca/ca_world.h"

#include "base/text.h"
#include "tls/certificate.h"
#include "tls/context.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

constexpr auto lifetime = ca::leaf_lifetime_min;
constexpr auto busy_time = 70min;
constexpr auto patience =
    4min;  // an attempt may have just begun, and the next one comes after a minute at most
constexpr auto settle_time = 5min;
constexpr auto token_lifetime = 20min;
constexpr auto token_refresh = 8min;
constexpr unsigned clock_skew_seconds = 5;

SpiffeId id_of(const std::string& account) { return {"cluster.local", "default", account}; }

IpAddress ca_ip() { return *IpAddress::parse("198.18.0.1"); }
Address ca_address() { return {ca_ip(), 15012}; }
IpAddress address(std::size_t index) { return *IpAddress::parse(str_cat("198.18.0.", 10 + index)); }

}  // namespace

CaWorld::CaWorld(std::uint64_t seed)
    : random_(seed),
      network_(seed, random_.below(3) == 0 ? sim::NetworkOptions::calm() : sim::NetworkOptions::rough()),
      clock_(network_.add_loop({})),
      ca_loop_(network_.add_loop({ca_ip()})),
      later_(clock_),
      rotates_(random_.below(2) == 0),
      resolver_(clock_) {
  clock_.set_wall(noon());
  ca_loop_.set_wall(noon());
  policy_.leaf_lifetime = lifetime;
  first_authority_ = ca::Authority::from_key_file(files_ / "first.pem", "cluster.local", noon()).value();
  second_authority_ = ca::Authority::from_key_file(files_ / "second.pem", "cluster.local", noon()).value();
  authority_ = first_authority_.get();
  roots_ = authority_->roots_pem();
  token_keys_.push_back(tls::PrivateKey::generate().value());
  tokens_ = std::make_unique<ca::TokenVerifier>(files_ / "jwks.json", tls::TokenChecks{{"weft-ca"}, ""});
  publish_token_keys(token_keys());
  start_ca();
  const std::size_t honest = 2 + random_.below(3);
  for (std::size_t i = 0; i < honest; ++i) add_workload(str_cat("w", i), str_cat("w", i));
  add_workload("w0", "intruder");
}

CaWorld::~CaWorld() = default;

const std::vector<std::string>& CaWorld::run() {
  refresh_tokens();
  if (rotates_) plan_rotation();
  const std::uint64_t events = 4 + random_.below(12);
  for (std::uint64_t i = 0; i < events; ++i) later_.after(up_to(busy_time), [this] { something_happens(); });
  network_.advance(busy_time);
  all_is_well();
  network_.advance(patience);
  check_end();
  return findings_;
}

// ---- the workloads ----

void CaWorld::add_workload(const std::string& name, const std::string& account) {
  auto workload = std::make_unique<Workload>();
  workload->name = name;
  workload->account = account;
  workload->loop = &network_.add_loop({address(workloads_.size())});
  const auto skew =
      static_cast<int>(random_.below(2 * clock_skew_seconds + 1)) - static_cast<int>(clock_skew_seconds);
  workload->loop->set_wall(noon() + std::chrono::seconds(skew));
  write_bundle(*workload);
  write_token(*workload);
  start(*workload);
  workloads_.push_back(std::move(workload));
}

void CaWorld::start(Workload& workload) {
  if (workload.identity) failures_ += workload.identity->failures();
  kube::WorkloadIdentityOptions options;
  options.id = id_of(workload.name);
  options.ca_address = ca_address().to_string();
  options.ca_server_name = "weft-ca";
  options.ca_id = {"cluster.local", "weft-system", "weft-ca"};
  options.token_file = files_ / workload.token_file();
  options.bundle_file = files_ / workload.bundle_file();
  workload.identity = std::make_unique<kube::WorkloadIdentity>(
      *workload.loop, resolver_, random_, options,
      [this, &workload](const kube::WorkloadCredentials& fresh) { received(workload, fresh); });
  workload.identity->start();
}

void CaWorld::received(const Workload& workload, const kube::WorkloadCredentials& fresh) {
  const tls::Certificate& leaf = fresh.svid->chain.front();
  if (workload.account != workload.name)
    find(str_cat(workload.account, " got a certificate of ", workload.name));
  if (fresh.svid->id != id_of(workload.name)) find("a certificate of another identity was taken");
  const WallTime now = workload.loop->wall_now();
  if (now < fresh.svid->not_before || now >= fresh.svid->not_after)
    find("a certificate was not valid when it came");
  for (const tls::Certificate& older : certificates_)
    if (older.public_key() == leaf.public_key()) find("a key was used twice");
  certificates_.push_back(leaf);
  check_trust(workload, fresh);
}

void CaWorld::check_trust(const Workload& one, const kube::WorkloadCredentials& fresh) {
  const WallTime now = clock_.wall_now();
  for (const auto& other : workloads_) {
    const kube::WorkloadCredentials& theirs = other->identity->credentials();
    if (other.get() == &one || !theirs.svid || theirs.svid->not_after <= now) continue;
    const auto they = tls::verify_chain(theirs.svid->chain, *fresh.bundle, tls::Purpose::server, now);
    const auto we = tls::verify_chain(fresh.svid->chain, *theirs.bundle, tls::Purpose::client, now);
    if (they) find(str_cat(one.name, " does not believe ", other->name, ": ", they->message));
    if (we) find(str_cat(other->name, " does not believe ", one.name, ": ", we->message));
  }
}

// ---- the CA, and what the kubelet and an operator write ----

void CaWorld::start_ca() {
  server_ = std::make_unique<ca::Server>(
      ca_loop_, *authority_, *tokens_, policy_,
      ca::ServingIdentity{{"cluster.local", "weft-system", "weft-ca"}, {"weft-ca"}});
  if (const Status started = server_->start(); !started) return find(started.error().message);
  if (const Status listening = server_->listen(ca_address(), {}); !listening) find(listening.error().message);
}

void CaWorld::write_bundle(const Workload& workload) { files_.write(workload.bundle_file(), roots_); }

void CaWorld::write_token(const Workload& workload) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall_now().time_since_epoch());
  const std::string claims =
      str_cat(R"({"iss":"kubernetes","aud":["weft-ca"],"sub":"system:serviceaccount:default:)",
              workload.account, R"(","iat":)", now.count(), R"(,"exp":)", (now + token_lifetime).count(),
              R"(,"kubernetes.io":{"namespace":"default","serviceaccount":{"name":")", workload.account,
              R"(","uid":"u"},"pod":{"name":"p","uid":"p"}}})");
  const std::string key_id = str_cat("k", token_keys_.size());
  files_.write(workload.token_file(), tls::sign_jwt(claims, key_id, token_keys_.back()).value());
}

std::string CaWorld::token_keys() const {
  std::string keys;
  for (std::size_t i = 0; i < token_keys_.size(); ++i) {
    // {"keys":[ONE]} each.
    const std::string one = tls::jwks_of(token_keys_[i].public_key(), str_cat("k", i + 1)).value();
    const std::size_t begin = one.find('[') + 1;
    keys += str_cat(keys.empty() ? "" : ",", one.substr(begin, one.rfind(']') - begin));
  }
  return str_cat(R"({"keys":[)", keys, "]}");
}

void CaWorld::publish_token_keys(const std::string& jwks) {
  files_.write("jwks.json", jwks);
  if (server_) server_->reload_token_keys();
}

void CaWorld::refresh_tokens() {
  for (const auto& workload : workloads_)
    if (random_.below(5) != 0) write_token(*workload);
  later_.after(token_refresh, [this] { refresh_tokens(); });
}

// As an operator does it: the new root beside the old one for a lifetime, then the new CA, and the old
// root goes a lifetime later.
void CaWorld::plan_rotation() {
  const Duration begin = 5min + up_to(10min);
  auto publish = [this](std::string roots) {
    roots_ = std::move(roots);
    for (const auto& workload : workloads_) write_bundle(*workload);
  };
  later_.after(begin,
               [this, publish] { publish(first_authority_->roots_pem() + second_authority_->roots_pem()); });
  later_.after(begin + lifetime + 1min, [this] {
    authority_ = second_authority_.get();
    start_ca();
  });
  later_.after(begin + 2 * lifetime + 2min, [this, publish] { publish(second_authority_->roots_pem()); });
}

// ---- what goes wrong ----

void CaWorld::something_happens() {
  Workload& workload = any_workload();
  switch (random_.below(9)) {
    case 0:
    case 1:
      network_.set_down(ca_ip(), true);
      return later_.after(up_to(8min), [this] { network_.set_down(ca_ip(), false); });
    case 2:
      server_.reset();
      return later_.after(up_to(2min), [this] { start_ca(); });
    case 3:
      return network_.reset_connections(ca_ip());
    case 4:
      files_.write(workload.token_file(), random_.below(2) == 0 ? "" : "no token");
      return;
    case 5:
      files_.write(workload.bundle_file(), "no certificate");
      return later_.after(up_to(4min), [this, &workload] { write_bundle(workload); });
    case 6:
      token_keys_.push_back(tls::PrivateKey::generate().value());
      return publish_token_keys(token_keys());
    case 7:
      publish_token_keys("{");
      return later_.after(up_to(4min), [this] { publish_token_keys(token_keys()); });
    default:
      if (random_.below(2) == 0) return workload.identity->renew_now();
      return start(workload);
  }
}

void CaWorld::all_is_well() {
  network_.options() = sim::NetworkOptions::calm();
  network_.set_down(ca_ip(), false);
  later_.forget_all();
  publish_token_keys(token_keys());
  start_ca();
  for (const auto& workload : workloads_) {
    write_bundle(*workload);
    write_token(*workload);
  }
}

void CaWorld::check_end() {
  for (const auto& workload : workloads_) {
    const kube::WorkloadIdentity& identity = *workload->identity;
    failures_ += identity.failures();
    if (workload->account != workload->name) {
      const std::string said = identity.last_error() ? identity.last_error()->message : "nothing";
      if (said.find("asks for") == std::string::npos) find(str_cat("the intruder was told ", said));
      continue;
    }
    const auto& svid = identity.credentials().svid;
    if (!svid || svid->not_after <= workload->loop->wall_now())
      find(str_cat(workload->name, " has no valid certificate: ",
                   identity.last_error() ? identity.last_error()->message : "no reason"));
    else if (identity.last_error())
      find(str_cat(workload->name, ": ", identity.last_error()->message));
  }
  for (const auto& workload : workloads_) workload->identity.reset();
  bool drained = false;
  server_->drain([&] { drained = true; });
  network_.advance(settle_time);
  if (!drained) find("the CA never ended");
  server_.reset();
  network_.advance(settle_time);
  if (network_.open_connections() != 0) find(str_cat(network_.open_connections(), " connections are left"));
  if (network_.pending_events() != 0) find(str_cat(network_.pending_events(), " events are left"));
}

}  // namespace weft::test
