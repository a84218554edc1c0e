#include "discovery/resources.h"

#include "base/text.h"

namespace weft::discovery {
namespace {

Encoded encode(const kube::Content& content) {
  return std::make_shared<const kube::EncodedResource>(kube::encode_resource(content));
}

// Only the cache itself still has it.
bool unused(const Encoded& resource) { return resource.use_count() == 1; }

std::string namespace_in(std::string_view name) { return std::string(name.substr(0, name.find('/'))); }

}  // namespace

Resources::AddressEntry Resources::make_address(const Address& address) const {
  const policy::AddressOwner owner = translate_address(state_.view(), address);
  using Kind = policy::AddressOwner::Kind;
  AddressEntry out;
  out.owner.resource = encode(owner);
  out.owner.service = owner.kind == Kind::service ? owner.service : owner.pod_service;
  if (owner.kind == Kind::service) out.name_space = namespace_in(owner.service);
  if (owner.kind == Kind::pod) out.name_space = namespace_in(owner.pod.workload);
  return out;
}

Resources::ServiceEntry Resources::make_service(const std::string& name) const {
  ServiceEntry out;
  const auto service = translate_service(state_.view(), name);
  if (!service) return out;
  out.resource = encode(*service);
  out.name_space = namespace_in(name);
  const std::string_view rest = std::string_view(name).substr(out.name_space.size() + 1);
  const kube::Service* object = state_.index().service(out.name_space, rest.substr(0, rest.rfind(':')));
  out.by_address = object != nullptr && object->selector.empty();
  return out;
}

Encoded Resources::make_inbound(const PodName& pod) const {
  const auto inbound = translate_inbound(state_.view(), pod.first, pod.second);
  return inbound ? encode(*inbound) : nullptr;
}

Resources::Owner Resources::address(const Address& address) {
  const auto found = addresses_.find(address);
  if (found != addresses_.end()) return found->second.owner;
  return addresses_.emplace(address, make_address(address)).first->second.owner;
}

Encoded Resources::service(const std::string& name) {
  const auto found = services_.find(name);
  if (found != services_.end()) return found->second.resource;
  ServiceEntry made = make_service(name);
  if (made.resource == nullptr) return nullptr;
  return services_.emplace(name, std::move(made)).first->second.resource;
}

Encoded Resources::inbound(std::string_view name_space, std::string_view pod) {
  const PodName name(name_space, pod);
  const auto found = inbound_.find(name);
  if (found != inbound_.end()) return found->second;
  Encoded made = make_inbound(name);
  if (made != nullptr) inbound_.emplace(name, made);
  return made;
}

void Resources::set_bundle(kube::TrustRoots roots) { bundle_ = encode(std::move(roots)); }

void Resources::refresh_addresses(const Touched& touched, std::set<std::string>& changed) {
  for (auto at = addresses_.begin(); at != addresses_.end();) {
    AddressEntry& entry = at->second;
    if (unused(entry.owner.resource)) {
      at = addresses_.erase(at);
      continue;
    }
    if (touched.namespaces.contains(entry.name_space) || touched.addresses.contains(at->first.ip)) {
      AddressEntry fresh = make_address(at->first);
      if (fresh.owner.resource->version != entry.owner.resource->version) {
        changed.insert(fresh.owner.resource->name);
        entry = std::move(fresh);
      }
    }
    ++at;
  }
}

void Resources::refresh_services(const Touched& touched, std::set<std::string>& changed) {
  for (auto at = services_.begin(); at != services_.end();) {
    ServiceEntry& entry = at->second;
    const bool by_address = entry.by_address && !touched.addresses.empty();
    if (!unused(entry.resource) && !by_address && !touched.namespaces.contains(entry.name_space)) {
      ++at;
      continue;
    }
    ServiceEntry fresh = unused(entry.resource) ? ServiceEntry{} : make_service(at->first);
    if (fresh.resource == nullptr) {
      changed.insert(entry.resource->name);
      at = services_.erase(at);
      continue;
    }
    if (fresh.resource->version == entry.resource->version) {
      entry.by_address = fresh.by_address;
    } else {
      changed.insert(entry.resource->name);
      entry = std::move(fresh);
    }
    ++at;
  }
}

void Resources::refresh_inbound(const Touched& touched) {
  for (auto at = inbound_.begin(); at != inbound_.end();) {
    if (!unused(at->second) && !touched.namespaces.contains(at->first.first)) {
      ++at;
      continue;
    }
    Encoded fresh = unused(at->second) ? nullptr : make_inbound(at->first);
    if (fresh == nullptr) {
      at = inbound_.erase(at);
      continue;
    }
    if (fresh->version != at->second->version) at->second = std::move(fresh);
    ++at;
  }
}

std::set<std::string> Resources::refresh(const Touched& touched) {
  std::set<std::string> changed;
  refresh_addresses(touched, changed);
  refresh_services(touched, changed);
  refresh_inbound(touched);
  return changed;
}

}  // namespace weft::discovery
