#include "sidecar/admin_views.h"

#include <nlohmann/json.hpp>

#include "policy/describe.h"
#include "tls/context.h"

namespace weft::sidecar {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json endpoints_json(const policy::Service& service, policy::EndpointRegistry& registry, MonotonicTime now) {
  Json json = Json::array();
  for (const policy::Endpoint& endpoint : service.endpoints) {
    const auto state = registry.get(endpoint.address);
    json.push_back({{"address", endpoint.address.to_string()},
                    {"identity", endpoint.identity},
                    {"subset", endpoint.subset},
                    {"workload", endpoint.workload},
                    {"active", state->active.load(std::memory_order_relaxed)},
                    {"ejected", state->outlier.ejected(now)}});
  }
  return json;
}

Json retry_json(const policy::RetryPolicy& retry) {
  Json json = Json::object();
  if (retry.attempts) json["attempts"] = *retry.attempts;
  if (retry.retry_on) json["on"] = policy::describe_retry_on(retry);
  if (!retry.methods.empty()) json["methods"] = retry.methods;
  if (retry.per_try_timeout) json["per_try_timeout"] = policy::describe(*retry.per_try_timeout);
  json["budget_percent"] = retry.budget_percent;
  return json;
}

Json service_json(const policy::Service& service, policy::EndpointRegistry& registry, MonotonicTime now) {
  Json json = {
      {"name", service.name}, {"host", service.host}, {"protocol", policy::name_of(service.protocol)}};
  for (const Address& address : service.addresses) json["addresses"].push_back(address.to_string());
  if (service.timeout) json["timeout"] = policy::describe(*service.timeout);
  json["retry"] = retry_json(service.retry);
  for (const policy::RouteRule& rule : service.routes) json["routes"].push_back(policy::describe(rule));
  for (const policy::WeightedSubset& subset : service.canary) json["canary"][subset.subset] = subset.weight;
  if (service.canary_sticky) json["canary_sticky"] = policy::describe(*service.canary_sticky);
  json["load_balancer"] = policy::describe(service.load_balancer);
  json["outlier"] = policy::describe(service.outlier);
  json["limits"] = policy::describe(service.limits);
  if (service.fault != policy::FaultInjection()) json["fault"] = policy::describe(service.fault);
  if (service.mirror != policy::Mirror()) json["mirror"] = policy::describe(service.mirror);
  if (service.attempts_header) json["attempts_header"] = true;
  json["endpoints"] = endpoints_json(service, registry, now);
  return json;
}

Json inbound_json(const policy::InboundPolicy& inbound) {
  Json json = {{"workload", inbound.workload},
               {"identity", inbound.identity},
               {"default_policy", policy::name_of(inbound.default_policy)}};
  if (inbound.preserve_case) json["preserve_case"] = true;
  for (const policy::InboundPort& port : inbound.ports) {
    Json entry = {{"port", port.port},
                  {"mtls", policy::name_of(port.mtls)},
                  {"protocol", policy::name_of(port.protocol)}};
    entry["rules"] = Json::array();
    for (const policy::RbacRule& rule : port.rules)
      entry["rules"].push_back({{"name", rule.name}, {"rule", policy::describe(rule)}});
    if (port.deny_all) entry["deny_all"] = true;
    json["ports"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace

std::string config_view(const ConfigStore& store, policy::EndpointRegistry& registry, MonotonicTime now,
                        policy::OutboundPolicy started) {
  Json json = {{"inbound", nullptr},
               {"outbound_policy", policy::name_of(store.current()->outbound_policy(started))},
               {"services", Json::array()},
               {"addresses", Json::object()},
               {"versions", Json::object()}};
  const Config& config = *store.current();
  if (config.inbound) json["inbound"] = inbound_json(config.inbound->policy());
  for (const auto& [name, service] : config.services)
    json["services"].push_back(service_json(service->config(), registry, now));
  for (const auto& [address, owner] : config.owners) {
    using Kind = policy::AddressOwner::Kind;
    json["addresses"][address.to_string()] = owner->kind == Kind::service ? "service " + owner->service
                                             : owner->kind == Kind::pod   ? "pod " + owner->pod.workload
                                             : owner->kind == Kind::unknown_inside
                                                 ? "unknown, inside the mesh"
                                                 : "unknown, outside the mesh";
  }
  for (const auto& [name, version] : store.held()) json["versions"][name] = version;
  return text(json);
}

std::string endpoints_view(const Config& config, policy::EndpointRegistry& registry, MonotonicTime now) {
  Json json = Json::object();
  for (const auto& [name, service] : config.services)
    json[name] = endpoints_json(service->config(), registry, now);
  return text(json);
}

std::string certificates_view(const kube::WorkloadCredentials& credentials) {
  Json json = Json::array();
  if (!credentials.svid) return text(json);
  Json entry = {{"spiffe_id", credentials.svid->id.to_string()},
                {"not_before", format_time(credentials.svid->not_before)},
                {"not_after", format_time(credentials.svid->not_after)},
                {"serial", credentials.svid->chain.front().serial_hex()}};
  for (const tls::Certificate& root : credentials.bundle->roots())
    entry["roots"].push_back(root.sha256_hex());
  json.push_back(std::move(entry));
  return text(json);
}

}  // namespace weft::sidecar
