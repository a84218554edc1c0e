#include "sidecar/admin_views.h"

#include <nlohmann/json.hpp>

#include "tls/context.h"

namespace weft::sidecar {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string_view mode_name(policy::MtlsMode mode) {
  switch (mode) {
    case policy::MtlsMode::permissive:
      return "permissive";
    case policy::MtlsMode::strict:
      return "strict";
    case policy::MtlsMode::disable:
      return "disable";
  }
  return "permissive";
}

std::string_view protocol_name(policy::Protocol protocol) {
  switch (protocol) {
    case policy::Protocol::detect:
      return "detect";
    case policy::Protocol::http1:
      return "http1";
    case policy::Protocol::http2:
      return "http2";
    case policy::Protocol::grpc:
      return "grpc";
    case policy::Protocol::tcp:
      return "tcp";
    case policy::Protocol::tls:
      return "tls";
  }
  return "detect";
}

Json endpoint_json(const policy::Endpoint& endpoint) {
  return Json{{"address", endpoint.address.to_string()},
              {"identity", endpoint.identity},
              {"subset", endpoint.subset},
              {"workload", endpoint.workload}};
}

Json service_json(const policy::Service& service) {
  Json json = {{"name", service.name}, {"host", service.host}, {"protocol", protocol_name(service.protocol)}};
  for (const Address& address : service.addresses) json["addresses"].push_back(address.to_string());
  if (service.timeout) json["timeout_ms"] = service.timeout->count();
  if (service.retry.attempts) json["retry_attempts"] = *service.retry.attempts;
  if (service.retry.per_try_timeout) json["per_try_timeout_ms"] = service.retry.per_try_timeout->count();
  for (const policy::WeightedSubset& subset : service.canary) json["canary"][subset.subset] = subset.weight;
  if (service.fault != policy::FaultInjection()) {
    json["fault"] = {{"delay_ms", service.fault.delay.count()},
                     {"delay_percent", service.fault.delay_percent},
                     {"abort_status", service.fault.abort_status},
                     {"abort_percent", service.fault.abort_percent}};
  }
  if (service.mirror != policy::Mirror())
    json["mirror"] = {{"subset", service.mirror.subset}, {"percent", service.mirror.percent}};
  if (service.attempts_header) json["attempts_header"] = true;
  json["routes"] = service.routes.size();
  json["endpoints"] = Json::array();
  for (const policy::Endpoint& endpoint : service.endpoints)
    json["endpoints"].push_back(endpoint_json(endpoint));
  return json;
}

Json inbound_json(const policy::InboundPolicy& inbound) {
  Json json = {{"workload", inbound.workload}, {"identity", inbound.identity}};
  for (const policy::InboundPort& port : inbound.ports) {
    Json entry = {
        {"port", port.port}, {"mtls", mode_name(port.mtls)}, {"protocol", protocol_name(port.protocol)}};
    entry["rules"] = Json::array();
    for (const policy::RbacRule& rule : port.rules) entry["rules"].push_back(rule.name);
    if (port.deny_all) entry["deny_all"] = true;
    json["ports"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace

std::string config_view(const ConfigStore& store) {
  Json json = {{"inbound", nullptr},
               {"services", Json::array()},
               {"addresses", Json::object()},
               {"versions", Json::object()}};
  const Config& config = *store.current();
  if (config.inbound) json["inbound"] = inbound_json(config.inbound->policy());
  for (const auto& [name, service] : config.services)
    json["services"].push_back(service_json(service->config()));
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

std::string endpoints_view(const Config& config) {
  Json json = Json::object();
  for (const auto& [name, service] : config.services) {
    json[name] = Json::array();
    for (const policy::Endpoint& endpoint : service->config().endpoints)
      json[name].push_back(endpoint_json(endpoint));
  }
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
