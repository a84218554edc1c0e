// The cluster as discovery knows it: Namespaces, Pods, Services and EndpointSlices, found by name, address,
// selector. A value: no I/O, no clock. Pointers it hands out live until the next put() or remove().
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "discovery/source.h"
#include "kube/objects.h"

namespace weft::discovery {

class Index {
 public:
  // Kinds that discovery has no use for are ignored.
  void put(const kube::Object& object);
  void remove(const ObjectKey& key);

  const kube::Namespace* name_space(std::string_view name) const;
  const kube::Pod* pod(std::string_view name_space, std::string_view name) const;
  const kube::Service* service(std::string_view name_space, std::string_view name) const;

  // The pod that has this address: one that still runs, and not one on its node's network (many share that
  // address). A ready one is preferred while two claim it, then the first by namespace and name.
  const kube::Pod* pod_at(const IpAddress& ip) const;
  const kube::Service* service_at(const IpAddress& cluster_ip) const;

  // In order of name.
  std::vector<const kube::Pod*> pods_selected_by(const kube::Service& service) const;
  std::vector<const kube::Service*> services_selecting(const kube::Pod& pod) const;
  std::vector<const kube::EndpointSlice*> slices_of(const kube::Service& service) const;

  std::size_t count_pods() const { return pods_.size(); }
  std::size_t count_services() const { return services_.size(); }

 private:
  using Name = std::pair<std::string, std::string>;  // namespace, name
  using Names = std::set<Name>;
  template <class T>
  using ByName = std::map<Name, T>;

  void forget_pod(const Name& name);
  void forget_service(const Name& name);
  void forget_slice(const Name& name);

  std::map<std::string, kube::Namespace, std::less<>> namespaces_;
  ByName<kube::Pod> pods_;
  ByName<kube::Service> services_;
  ByName<kube::EndpointSlice> slices_;

  std::unordered_map<IpAddress, Names> pods_by_ip_;
  std::unordered_map<IpAddress, Names> services_by_ip_;
  std::unordered_map<std::string, Names> pods_by_label_;         // "namespace/key=value"
  std::unordered_map<std::string, Names> services_by_selector_;  // likewise, by the selector's first label
  ByName<Names> slices_by_service_;
};

}  // namespace weft::discovery
