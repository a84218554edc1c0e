// What discovery told this sidecar. ConfigStore lives on the control thread and makes an immutable Config for
// every accepted Update; workers share it as shared_ptr<const Config>. An Update is taken whole or not at
// all. The last state is kept in a cache file (0600, no secrets), so that a restarted sidecar knows it at
// once.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/callback.h"
#include "base/result.h"
#include "kube/config_codec.h"
#include "policy/snapshot.h"
#include "sidecar/inbound_state.h"
#include "sidecar/service_state.h"

namespace weft::sidecar {

struct Config {
  std::unordered_map<Address, std::shared_ptr<const policy::AddressOwner>> owners;
  std::map<std::string, std::shared_ptr<const ServiceState>, std::less<>>
      services;                                 // by "namespace/name:port"
  std::shared_ptr<const InboundState> inbound;  // null before the first
  std::vector<std::string> roots_pem;           // as the stream told; empty: not told

  const policy::AddressOwner* owner(const Address& address) const;
  std::shared_ptr<const ServiceState> service(std::string_view name) const;
  // What discovery says, or else what the sidecar was `started` with.
  policy::OutboundPolicy outbound_policy(policy::OutboundPolicy started) const;
  // Whether what the pod sends keeps the case of its header names.
  bool preserve_case() const;
};

class ConfigStore {
 public:
  using Changed = Function<void(std::shared_ptr<const Config>)>;
  // `changed` runs within apply() and load().
  ConfigStore(std::string trust_domain, policy::EndpointRegistry& endpoints, Changed changed);

  // Errors name the resource that is wrong; the state before stays.
  Status apply(kube::Update&& update);
  const std::shared_ptr<const Config>& current() const { return current_; }

  // Notes that `address` is wanted; false when it is known or has been asked already, or no room is left.
  bool ask(const Address& address);
  // Whether the owner of `address` is known or has been asked for.
  bool wants(const Address& address) const { return asked_.contains(address) || current_->owner(address); }
  // Time to give something back before more is asked for.
  bool full() const;
  // The answer is not waited for any more.
  void withdraw(const Address& address) { asked_.erase(address); }
  std::vector<std::string> unanswered() const;
  // Name → version of everything held.
  std::map<std::string, std::string> held() const;
  const std::map<std::string, kube::Resource>& resources() const { return resources_; }

  // The cache file's content, and back. What cannot be read is an error and leaves the store empty.
  std::string save() const;
  Status load(std::string_view bytes);

 private:
  void publish();

  std::string trust_domain_;
  policy::EndpointRegistry& endpoints_;
  Changed changed_;
  std::map<std::string, kube::Resource> resources_;  // by resource name
  std::map<std::string, std::shared_ptr<const ServiceState>, std::less<>> service_states_;
  std::map<std::string, std::shared_ptr<const policy::AddressOwner>> owner_states_;
  std::set<Address> asked_;
  std::shared_ptr<const Config> current_;
};

}  // namespace weft::sidecar
