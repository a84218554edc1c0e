#include "discovery/index.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace weft::discovery {
namespace {

std::string label_key(std::string_view name_space, const kube::Labels::value_type& label) {
  return str_cat(name_space, "/", label.first, "=", label.second);
}

template <class Map, class Key, class Name>
void drop(Map& map, const Key& key, const Name& name) {
  const auto found = map.find(key);
  if (found == map.end()) return;
  found->second.erase(name);
  if (found->second.empty()) map.erase(found);
}

template <class T>
const T* find(const std::map<std::pair<std::string, std::string>, T>& map, std::string_view name_space,
              std::string_view name) {
  const auto found = map.find({std::string(name_space), std::string(name)});
  return found == map.end() ? nullptr : &found->second;
}

bool runs(const kube::Pod& pod) { return pod.phase != "Succeeded" && pod.phase != "Failed"; }

}  // namespace

void Index::put(const kube::Object& object) {
  const kube::Meta& meta = kube::meta_of(object);
  const Name name{meta.name_space, meta.name};
  if (const auto* space = std::get_if<kube::Namespace>(&object)) {
    namespaces_.insert_or_assign(meta.name, *space);
  } else if (const auto* pod = std::get_if<kube::Pod>(&object)) {
    forget_pod(name);
    for (const IpAddress& ip : pod->ips) pods_by_ip_[ip].insert(name);
    for (const auto& label : meta.labels) pods_by_label_[label_key(meta.name_space, label)].insert(name);
    pods_.emplace(name, *pod);
  } else if (const auto* service = std::get_if<kube::Service>(&object)) {
    forget_service(name);
    for (const IpAddress& ip : service->cluster_ips) services_by_ip_[ip].insert(name);
    if (!service->selector.empty())
      services_by_selector_[label_key(meta.name_space, *service->selector.begin())].insert(name);
    services_.emplace(name, *service);
  } else if (const auto* slice = std::get_if<kube::EndpointSlice>(&object)) {
    forget_slice(name);
    slices_by_service_[{meta.name_space, slice->service}].insert(name);
    slices_.emplace(name, *slice);
  }
}

void Index::remove(const ObjectKey& key) {
  const Name name{key.name_space, key.name};
  if (key.kind == "Namespace") namespaces_.erase(key.name);
  if (key.kind == "Pod") forget_pod(name);
  if (key.kind == "Service") forget_service(name);
  if (key.kind == "EndpointSlice") forget_slice(name);
}

void Index::forget_pod(const Name& name) {
  const auto found = pods_.find(name);
  if (found == pods_.end()) return;
  for (const IpAddress& ip : found->second.ips) drop(pods_by_ip_, ip, name);
  for (const auto& label : found->second.meta.labels)
    drop(pods_by_label_, label_key(name.first, label), name);
  pods_.erase(found);
}

void Index::forget_service(const Name& name) {
  const auto found = services_.find(name);
  if (found == services_.end()) return;
  const kube::Service& service = found->second;
  for (const IpAddress& ip : service.cluster_ips) drop(services_by_ip_, ip, name);
  if (!service.selector.empty())
    drop(services_by_selector_, label_key(name.first, *service.selector.begin()), name);
  services_.erase(found);
}

void Index::forget_slice(const Name& name) {
  const auto found = slices_.find(name);
  if (found == slices_.end()) return;
  drop(slices_by_service_, Name{name.first, found->second.service}, name);
  slices_.erase(found);
}

const kube::Namespace* Index::name_space(std::string_view name) const {
  const auto found = namespaces_.find(name);
  return found == namespaces_.end() ? nullptr : &found->second;
}

const kube::Pod* Index::pod(std::string_view name_space, std::string_view name) const {
  return find(pods_, name_space, name);
}

const kube::Service* Index::service(std::string_view name_space, std::string_view name) const {
  return find(services_, name_space, name);
}

const kube::Pod* Index::pod_at(const IpAddress& ip) const {
  const auto found = pods_by_ip_.find(ip);
  if (found == pods_by_ip_.end()) return nullptr;
  const kube::Pod* best = nullptr;
  for (const Name& name : found->second) {
    const kube::Pod& pod = pods_.at(name);
    if (!runs(pod) || pod.spec.host_network) continue;
    if (best == nullptr || (pod.ready && !best->ready)) best = &pod;
  }
  return best;
}

const kube::Service* Index::service_at(const IpAddress& cluster_ip) const {
  const auto found = services_by_ip_.find(cluster_ip);
  return found == services_by_ip_.end() ? nullptr : &services_.at(*found->second.begin());
}

std::vector<const kube::Pod*> Index::pods_selected_by(const kube::Service& service) const {
  // The rarest of the labels asked for leaves the fewest pods to look at.
  const Names* candidates = nullptr;
  for (const auto& label : service.selector) {
    const auto found = pods_by_label_.find(label_key(service.meta.name_space, label));
    if (found == pods_by_label_.end()) return {};
    if (candidates == nullptr || found->second.size() < candidates->size()) candidates = &found->second;
  }
  std::vector<const kube::Pod*> out;
  if (candidates == nullptr) return out;
  for (const Name& name : *candidates) {
    const kube::Pod& pod = pods_.at(name);
    if (runs(pod) && kube::selects(service.selector, pod.meta.labels)) out.push_back(&pod);
  }
  return out;
}

std::vector<const kube::Service*> Index::services_selecting(const kube::Pod& pod) const {
  std::vector<const kube::Service*> out;
  for (const auto& label : pod.meta.labels) {
    const auto found = services_by_selector_.find(label_key(pod.meta.name_space, label));
    if (found == services_by_selector_.end()) continue;
    for (const Name& name : found->second) {
      const kube::Service& service = services_.at(name);
      if (kube::selects(service.selector, pod.meta.labels)) out.push_back(&service);
    }
  }
  std::sort(out.begin(), out.end(), [](const auto* a, const auto* b) { return a->meta.name < b->meta.name; });
  return out;
}

std::vector<const kube::EndpointSlice*> Index::slices_of(const kube::Service& service) const {
  std::vector<const kube::EndpointSlice*> out;
  const auto found = slices_by_service_.find({service.meta.name_space, service.meta.name});
  if (found == slices_by_service_.end()) return out;
  for (const Name& name : found->second) out.push_back(&slices_.at(name));
  return out;
}

}  // namespace weft::discovery
