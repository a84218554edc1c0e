#include "cli/local/pod_json.h"

#include <functional>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace weft::local {
namespace {

using nlohmann::json;

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// A member that is an object, made when it is missing or null.
json& object_at(json& parent, const char* name) {
  json& member = parent[name];
  if (!member.is_object()) member = json::object();
  return member;
}

Result<json> parse_object_json(std::string_view text) {
  json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return fail(Code::invalid, "not a JSON object");
  return object;
}

const json* find(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

std::string pod_status_json(std::string_view pod_json, const PodStatus& status) {
  Result<json> pod = parse_object_json(pod_json);
  if (!pod) return std::string(pod_json);
  if (!status.deletion_timestamp.empty())
    object_at(*pod, "metadata")["deletionTimestamp"] = status.deletion_timestamp;
  json conditions = json::array({{{"type", "Ready"}, {"status", status.ready ? "True" : "False"}}});
  json shown = {{"phase", status.phase}, {"conditions", std::move(conditions)}};
  if (!status.addresses.empty()) {
    shown["podIP"] = status.addresses.front().to_string();
    for (const IpAddress& address : status.addresses)
      shown["podIPs"].push_back({{"ip", address.to_string()}});
  }
  (*pod)["status"] = std::move(shown);
  return text_of(*pod);
}

Result<std::string> annotated_json(std::string_view object_json,
                                   const std::vector<AnnotationChange>& changes) {
  WEFT_ASSIGN(json object, parse_object_json(object_json));
  json& annotations = object_at(object_at(object, "metadata"), "annotations");
  for (const AnnotationChange& change : changes) {
    if (change.value) {
      annotations[change.key] = *change.value;
    } else {
      annotations.erase(change.key);
    }
  }
  return text_of(object);
}

Result<std::string> scaled_json(std::string_view deployment_json, std::uint32_t replicas) {
  WEFT_ASSIGN(json object, parse_object_json(deployment_json));
  object_at(object, "spec")["replicas"] = replicas;
  return text_of(object);
}

std::string with_cluster_ips(std::string_view service_json, const std::vector<IpAddress>& addresses) {
  Result<json> service = parse_object_json(service_json);
  if (!service || addresses.empty()) return std::string(service_json);
  json& spec = object_at(*service, "spec");
  spec["clusterIP"] = addresses.front().to_string();
  spec["clusterIPs"] = json::array();
  for (const IpAddress& address : addresses) spec["clusterIPs"].push_back(address.to_string());
  return text_of(*service);
}

std::string with_uid(std::string_view object_json, std::string_view uid) {
  Result<json> object = parse_object_json(object_json);
  if (!object) return std::string(object_json);
  object_at(*object, "metadata")["uid"] = uid;
  return text_of(*object);
}

Result<ServiceWish> service_wish(std::string_view service_json) {
  WEFT_ASSIGN(const json service, parse_object_json(service_json));
  ServiceWish wish;
  const json* const spec = find(service, "spec");
  if (spec == nullptr) return wish;
  std::vector<std::string> asked;
  for (const char* name : {"clusterIPs", "clusterIP"}) {
    const json* const value = find(*spec, name);
    if (value == nullptr || !asked.empty()) continue;
    if (value->is_string()) asked.push_back(*value->get_ptr<const std::string*>());
    for (const json& item : value->is_array() ? *value : json::array()) {
      if (item.is_string()) asked.push_back(*item.get_ptr<const std::string*>());
    }
  }
  for (const std::string& text : asked) {
    if (text.empty() || text == "None") continue;
    WEFT_ASSIGN(const IpAddress address, IpAddress::parse(text));
    wish.cluster_ips.push_back(address);
  }
  if (const json* families = find(*spec, "ipFamilies"); families != nullptr && families->is_array()) {
    for (const json& family : *families) {
      if (family == "IPv6") wish.v6 = true;
      if (family == "IPv6" && families->size() == 1) wish.v4 = false;
    }
    wish.v6_first = !families->empty() && families->front() == "IPv6";
  }
  const json* const policy = find(*spec, "ipFamilyPolicy");
  if (policy != nullptr && (*policy == "PreferDualStack" || *policy == "RequireDualStack"))
    wish.v4 = wish.v6 = true;
  if (!wish.cluster_ips.empty()) wish.v6_first = wish.cluster_ips.front().is_v6();
  return wish;
}

Result<std::string> pod_from_template(std::string_view deployment_json, const PodName& name) {
  WEFT_ASSIGN(const json deployment, parse_object_json(deployment_json));
  const json* const spec = find(deployment, "spec");
  const json* const pod_template = spec == nullptr ? nullptr : find(*spec, "template");
  if (pod_template == nullptr || !pod_template->is_object())
    return fail(Code::invalid, "spec.template: missing");
  json pod = *pod_template;
  pod["apiVersion"] = "v1";
  pod["kind"] = "Pod";
  json& metadata = object_at(pod, "metadata");
  metadata["name"] = name.name;
  metadata["namespace"] = name.name_space;
  metadata["uid"] = name.uid;
  metadata["generateName"] = str_cat(name.deployment, "-", name.template_hash, "-");
  metadata["ownerReferences"] = json::array({{{"apiVersion", "apps/v1"},
                                              {"kind", "ReplicaSet"},
                                              {"name", str_cat(name.deployment, "-", name.template_hash)},
                                              {"controller", true}}});
  object_at(metadata, "labels")["pod-template-hash"] = name.template_hash;
  return text_of(pod);
}

std::string template_hash(std::string_view deployment_json) {
  const Result<json> deployment = parse_object_json(deployment_json);
  const json* const spec = deployment ? find(*deployment, "spec") : nullptr;
  const json* const pod_template = spec == nullptr ? nullptr : find(*spec, "template");
  const std::size_t hash =
      std::hash<std::string>()(pod_template == nullptr ? std::string() : text_of(*pod_template));
  // Letters that make no words, as Kubernetes has it.
  constexpr std::string_view letters = "bcdfghjklmnpqrstvwxz2456789";
  std::string text;
  for (std::size_t rest = hash; text.size() < 8; rest /= letters.size())
    text.push_back(letters[rest % letters.size()]);
  return text;
}

std::string config_map_json(std::string_view name_space, std::string_view name, std::string_view key,
                            std::string_view value) {
  return text_of({{"apiVersion", "v1"},
                  {"kind", "ConfigMap"},
                  {"metadata", {{"name", name}, {"namespace", name_space}}},
                  {"data", {{std::string(key), value}}}});
}

}  // namespace weft::local
