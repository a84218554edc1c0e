#include "sidecar/config_store.h"

#include "base/text.h"

namespace weft::sidecar {
namespace {

// Discovery refuses a stream that asks for more than 20,000 addresses. Above the first number old ones are
// given back, and up to the second there is room for the time until discovery has taken them.
constexpr std::size_t addresses_full = 16'000;
constexpr std::size_t addresses_max = 18'000;

// Every Service that an owner leads to must be there: a route never arrives before what it points at.
Status check_references(const std::map<std::string, kube::Resource>& resources) {
  for (const auto& [name, resource] : resources) {
    const auto* owner = std::get_if<policy::AddressOwner>(&resource.content);
    if (!owner) continue;
    const std::string& service =
        owner->kind == policy::AddressOwner::Kind::service ? owner->service : owner->pod_service;
    if (service.empty()) continue;
    if (!resources.contains(kube::service_resource_name(service))) {
      return fail(Code::invalid, str_cat(name, " leads to Service '", service, "', which was not sent"));
    }
  }
  return {};
}

}  // namespace

const policy::AddressOwner* Config::owner(const Address& address) const {
  const auto found = owners.find(address);
  return found == owners.end() ? nullptr : found->second.get();
}

std::shared_ptr<const ServiceState> Config::service(std::string_view name) const {
  const auto found = services.find(name);
  return found == services.end() ? nullptr : found->second;
}

policy::OutboundPolicy Config::outbound_policy(policy::OutboundPolicy started) const {
  return inbound ? inbound->policy().outbound_policy.value_or(started) : started;
}

bool Config::preserve_case() const { return inbound && inbound->policy().preserve_case; }

ConfigStore::ConfigStore(std::string trust_domain, policy::EndpointRegistry& endpoints, Changed changed)
    : trust_domain_(std::move(trust_domain)),
      endpoints_(endpoints),
      changed_(std::move(changed)),
      current_(std::make_shared<const Config>()) {}

Status ConfigStore::apply(kube::Update&& update) {
  std::map<std::string, kube::Resource> next = resources_;
  for (const std::string& name : update.removed) next.erase(name);
  for (kube::Resource& resource : update.resources) {
    std::string name = resource.name;
    next.insert_or_assign(std::move(name), std::move(resource));
  }
  WEFT_TRY(check_references(next));
  for (const auto& [name, resource] : next) {
    const auto before = resources_.find(name);
    const bool same = before != resources_.end() && before->second.version == resource.version;
    if (const auto* service = std::get_if<policy::Service>(&resource.content)) {
      auto& state = service_states_[service->name];
      // Load counts, ejections and the retry budget outlive a change of configuration.
      if (!same || !state) state = make_service_state(*service, endpoints_, state.get());
    } else if (const auto* owner = std::get_if<policy::AddressOwner>(&resource.content)) {
      auto& state = owner_states_[name];
      if (!same || !state) state = std::make_shared<const policy::AddressOwner>(*owner);
      asked_.erase(owner->address);
    }
  }
  resources_ = std::move(next);
  std::erase_if(service_states_, [this](const auto& item) {
    return !resources_.contains(kube::service_resource_name(item.first));
  });
  std::erase_if(owner_states_, [this](const auto& item) { return !resources_.contains(item.first); });
  publish();
  return {};
}

void ConfigStore::publish() {
  auto config = std::make_shared<Config>();
  config->services = service_states_;
  for (const auto& [name, owner] : owner_states_) config->owners.emplace(owner->address, owner);
  if (const auto found = resources_.find("inbound"); found != resources_.end()) {
    if (const auto* inbound = std::get_if<policy::InboundPolicy>(&found->second.content)) {
      const bool same = current_->inbound && current_->inbound->policy() == *inbound;
      config->inbound =
          same ? current_->inbound : std::make_shared<const InboundState>(*inbound, trust_domain_);
    }
  }
  if (const auto found = resources_.find("bundle"); found != resources_.end()) {
    if (const auto* roots = std::get_if<kube::TrustRoots>(&found->second.content))
      config->roots_pem = roots->roots_pem;
  }
  current_ = std::move(config);
  changed_(current_);
}

bool ConfigStore::ask(const Address& address) {
  if (current_->owner(address)) return false;
  // What is not asked for is treated as unanswered.
  if (asked_.size() + current_->owners.size() >= addresses_max) return false;
  return asked_.insert(address).second;
}

bool ConfigStore::full() const { return asked_.size() + current_->owners.size() >= addresses_full; }

std::vector<std::string> ConfigStore::unanswered() const {
  std::vector<std::string> addresses;
  for (const Address& address : asked_) addresses.push_back(address.to_string());
  return addresses;
}

std::map<std::string, std::string> ConfigStore::held() const {
  std::map<std::string, std::string> held;
  for (const auto& [name, resource] : resources_) held.emplace(name, resource.version);
  return held;
}

std::string ConfigStore::save() const {
  kube::Update update;
  for (const auto& [name, resource] : resources_) update.resources.push_back(resource);
  return kube::encode(update);
}

Status ConfigStore::load(std::string_view bytes) {
  auto update = kube::decode_update(bytes);
  if (!update) return fail(update.error().in("cached configuration"));
  return apply(*std::move(update));
}

}  // namespace weft::sidecar
