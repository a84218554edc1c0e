// Translated and encoded resources, made when first wanted, shared by all streams that hold them, and made
// again when a batch of changes touched what they depend on. Pure but for the memory it keeps: what no stream
// holds is dropped at the next refresh. One thread.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/address.h"
#include "discovery/state.h"
#include "kube/config_codec.h"

namespace weft::discovery {

using Encoded = std::shared_ptr<const kube::EncodedResource>;

class Resources {
 public:
  // `state` outlives this.
  explicit Resources(const State& state) : state_(state) {}

  struct Owner {
    Encoded resource;     // never null
    std::string service;  // name of the Service that it leads to; may be empty
  };
  Owner address(const Address& address);
  // Null where there is nothing of that name.
  Encoded service(const std::string& name);
  Encoded inbound(std::string_view name_space, std::string_view pod);

  Encoded bundle() const { return bundle_; }
  void set_bundle(kube::TrustRoots roots);

  // After State::apply: translates again what was touched; the names of resources whose content changed or
  // that are gone.
  std::set<std::string> refresh(const Touched& touched);
  std::size_t size() const { return addresses_.size() + services_.size() + inbound_.size(); }

 private:
  struct AddressEntry {
    Owner owner;
    std::string name_space;  // of the Service or pod; empty: nobody's
  };
  struct ServiceEntry {
    Encoded resource;
    std::string name_space;
    bool by_address = false;  // endpoints by EndpointSlice: their pods may be in any namespace
  };
  using PodName = std::pair<std::string, std::string>;

  void refresh_addresses(const Touched& touched, std::set<std::string>& changed);
  void refresh_services(const Touched& touched, std::set<std::string>& changed);
  void refresh_inbound(const Touched& touched);
  AddressEntry make_address(const Address& address) const;
  ServiceEntry make_service(const std::string& name) const;
  Encoded make_inbound(const PodName& pod) const;

  const State& state_;
  Encoded bundle_;
  std::unordered_map<Address, AddressEntry> addresses_;
  std::unordered_map<std::string, ServiceEntry> services_;
  std::map<PodName, Encoded> inbound_;
};

}  // namespace weft::discovery
