#include "discovery/holdings.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace weft::discovery {
namespace {

constexpr std::string_view address_prefix = "address/";
constexpr std::string_view inbound_name = "inbound";

Status too_many() {
  return fail(Code::limit,
              str_cat("more than ", addresses_per_stream_max, " addresses asked for by one sidecar"));
}

}  // namespace

Status Holdings::hold(const std::map<std::string, std::string>& held) {
  if (held.size() > 2 * addresses_per_stream_max) return too_many();
  for (const auto& [name, version] : held) {
    held_[name] = {version, nullptr};
    if (!name.starts_with(address_prefix)) continue;
    // A name that is no address is nothing that should be held, so it comes back as removed.
    if (const auto address = Address::parse(name.substr(address_prefix.size()))) wanted_.insert(*address);
  }
  if (wanted_.size() > addresses_per_stream_max) return too_many();
  return {};
}

Status Holdings::change(const kube::Subscribe& message) {
  std::vector<Address> added;
  std::vector<Address> dropped;
  for (const auto& [texts, into] :
       {std::pair{&message.addresses, &added}, std::pair{&message.unsubscribe, &dropped}}) {
    for (const std::string& text : *texts) {
      const auto address = Address::parse(text);
      if (!address) return fail(address.error().in(str_cat("subscribe '", printable(text), "'")));
      into->push_back(*address);
    }
  }
  if (wanted_.size() + added.size() > addresses_per_stream_max) return too_many();
  for (const Address& address : dropped) wanted_.erase(address);
  wanted_.insert(added.begin(), added.end());
  return {};
}

void Holdings::set_pod(std::string name_space, std::string name) {
  pod_.emplace(std::move(name_space), std::move(name));
}

bool Holdings::lacks(const Encoded& resource) const {
  if (resource == nullptr) return false;
  const auto held = held_.find(resource->name);
  return held == held_.end() || held->second.version != resource->version;
}

bool Holdings::affected(const std::set<std::string>& changed) const {
  // These two nobody asks for, and all pods' inbound policies have one name: their versions tell.
  if (lacks(resources_.bundle())) return true;
  if (pod_ && lacks(resources_.inbound(pod_->first, pod_->second))) return true;
  return std::any_of(changed.begin(), changed.end(),
                     [&](const std::string& name) { return held_.contains(name); });
}

std::vector<Encoded> Holdings::should_hold() {
  std::vector<Encoded> out;
  if (const Encoded bundle = resources_.bundle()) out.push_back(bundle);
  if (pod_) {
    if (const Encoded inbound = resources_.inbound(pod_->first, pod_->second)) out.push_back(inbound);
  }
  std::set<std::string> services;
  for (const Address& address : wanted_) {
    Resources::Owner owner = resources_.address(address);
    if (!owner.service.empty() && services.insert(owner.service).second) {
      if (Encoded service = resources_.service(owner.service)) out.push_back(std::move(service));
    }
    out.push_back(std::move(owner.resource));
  }
  return out;
}

Difference Holdings::difference(std::size_t bytes_max) {
  Difference out;
  std::size_t bytes = 0;
  std::set<std::string_view> wanted_names;
  const std::vector<Encoded> wanted = should_hold();
  bool full = false;
  for (const Encoded& resource : wanted) {
    wanted_names.insert(resource->name);
    const auto held = held_.find(resource->name);
    if (held != held_.end() && held->second.version == resource->version) {
      held->second.resource = resource;
      continue;
    }
    // Once full, nothing later may overtake: an address must not come before its Service.
    full = full || (bytes > 0 && bytes + resource->bytes.size() > bytes_max);
    if (full) continue;
    bytes += resource->bytes.size();
    held_.insert_or_assign(resource->name, Held{resource->version, resource});
    out.resources.push_back(resource);
  }
  if (full) return out;
  std::erase_if(held_, [&](const auto& item) {
    // A pod that is gone from the cluster keeps its policy until its sidecar ends.
    if (wanted_names.contains(item.first) || item.first == inbound_name) return false;
    out.removed.push_back(item.first);
    return true;
  });
  return out;
}

}  // namespace weft::discovery
