// An explanation for programs.
#include <nlohmann/json.hpp>

#include "cli/explain/explain.h"
#include "policy/describe.h"

namespace weft::cli {
namespace {

using Json = nlohmann::ordered_json;

Json endpoint_json(const EndpointView& view) {
  return {{"address", view.endpoint.address.to_string()},
          {"workload", view.endpoint.workload},
          {"identity", view.endpoint.identity},
          {"subset", view.endpoint.subset},
          {"candidate", view.candidate},
          {"ejected", view.ejected}};
}

Json retry_json(const OutboundView& view) {
  const policy::RetryPolicy& retry = view.retry;
  Json json = {{"budget_percent", retry.budget_percent}, {"failures", Json::array()}};
  if (retry.attempts) json["attempts"] = *retry.attempts;
  if (retry.retry_on) json["on"] = policy::describe_retry_on(retry);
  for (const RetryView& one : view.retries)
    json["failures"].push_back({{"failure", one.failure}, {"times", one.times}, {"class", one.allowed}});
  return json;
}

void add_steering(Json& json, const SteeringView& view) {
  json["load_balancer"] = {{"policy", policy::describe(view.balancer)}};
  if (view.caller) json["load_balancer"]["caller"] = *view.caller;
  if (!view.endpoint.empty()) json["load_balancer"]["endpoint"] = view.endpoint;
  json["outlier"] = {{"consecutive", view.outlier.consecutive},
                     {"interval_ms", view.outlier.interval.count()},
                     {"ejection_ms", view.outlier.ejection.count()},
                     {"max_percent", view.outlier.max_percent},
                     {"max_endpoints", view.ejected_max}};
  json["limits"] = {{"connections", view.limits.connections},
                    {"pending", view.limits.pending},
                    {"requests", view.limits.requests}};
  if (view.fault != policy::FaultInjection()) {
    json["fault"] = {{"delay_ms", view.fault.delay.count()},
                     {"delay_percent", view.fault.delay_percent},
                     {"abort_status", view.fault.abort_status},
                     {"abort_percent", view.fault.abort_percent}};
  }
  if (view.mirror.percent > 0) {
    json["mirror"] = {{"subset", view.mirror.subset},
                      {"percent", view.mirror.percent},
                      {"endpoints", view.mirror_endpoints}};
  }
}

Json outbound_json(const OutboundView& view) {
  Json json = {{"service", view.service},   {"protocol", policy::name_of(view.protocol)},
               {"http", view.http},         {"routes", Json::array()},
               {"subset", view.subset},     {"canary", Json::array()},
               {"endpoints", Json::array()}};
  for (const RouteTrial& one : view.routes) {
    json["routes"].push_back(
        {{"number", one.number}, {"rule", one.rule}, {"matches", one.matches}, {"taken", one.taken}});
  }
  for (const ShareView& one : view.canary)
    json["canary"].push_back({{"subset", one.subset}, {"weight", one.weight}, {"percent", one.percent}});
  if (view.sticky) {
    json["sticky"] = {{"key", view.sticky->key}, {"caller", nullptr}, {"subset", view.sticky->subset}};
    if (view.sticky->caller) json["sticky"]["caller"] = *view.sticky->caller;
  }
  if (view.steering) add_steering(json, *view.steering);
  for (const EndpointView& one : view.endpoints) json["endpoints"].push_back(endpoint_json(one));
  if (view.timeout) json["timeout_ms"] = view.timeout->count();
  if (view.retry.per_try_timeout) json["per_try_timeout_ms"] = view.retry.per_try_timeout->count();
  json["retry"] = retry_json(view);
  return json;
}

Json receiver_json(const ReceiverView& view) {
  Json json = {{"workloads", view.workloads}, {"port", view.port}, {"sidecar", view.sidecar}};
  if (view.sidecar) {
    json["identity"] = view.identity;
    json["mutual_tls"] = view.mutual_tls;
    json["mtls"] = policy::name_of(view.mtls);
    json["protocol"] = policy::name_of(view.protocol);
    json["default_policy"] = policy::name_of(view.default_policy);
    json["rules"] = Json::array();
    for (const RuleTrial& one : view.rules) {
      json["rules"].push_back(
          {{"name", one.name}, {"rule", one.rule}, {"matches", one.matches}, {"why_not", one.why_not}});
    }
  }
  json["allowed"] = view.allowed;
  json["status"] = view.status;
  json["reason"] = view.reason;
  json["rule"] = view.rule;
  json["why"] = view.why;
  return json;
}

}  // namespace

std::string to_json(const Explanation& one) {
  Json json = {{"from", one.caller.name},
               {"identity", one.caller.identity},
               {"pod", one.caller.pod},
               {"to", one.to},
               {"address", one.address},
               {"owner", one.owner},
               {"request", one.request},
               {"outbound", nullptr},
               {"receivers", Json::array()},
               {"outcome",
                {{"allowed", one.outcome.allowed},
                 {"depends", one.outcome.depends},
                 {"status", one.outcome.status},
                 {"reason", one.outcome.reason},
                 {"rule", one.outcome.rule},
                 {"why", one.outcome.why}}},
               {"wrong", Json::array()},
               {"notes", one.notes}};
  if (one.outbound) json["outbound"] = outbound_json(*one.outbound);
  for (const ReceiverView& receiver : one.receivers) json["receivers"].push_back(receiver_json(receiver));
  for (const WrongAnnotation& wrong : one.wrong) {
    json["wrong"].push_back({{"object", wrong.object}, {"error", wrong.error.to_string()}});
    json["wrong"].back()["in_force"] = wrong.in_force ? Json(*wrong.in_force) : Json(nullptr);
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace weft::cli
