#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "kube/json_field.h"

namespace weft::kube {
namespace {

Namespace read_namespace(const JsonField& root, Meta meta) {
  root["metadata"]["name"].dns_label();
  return {std::move(meta), {}};
}

std::vector<IpAddress> read_ips(const JsonField& list, std::string_view member, const JsonField& single) {
  std::vector<IpAddress> out;
  list.each(
      [&](const JsonField& element) { out.push_back(member.empty() ? element.ip() : element[member].ip()); });
  if (out.empty() && single.present() && !single.text().empty()) out.push_back(single.ip());
  return out;
}

// A Deployment's pods belong to a ReplicaSet, whose name is the Deployment's and the hash of its template.
std::string workload_name(const JsonField& owners, const Meta& meta) {
  std::string out = meta.name;
  owners.each([&](const JsonField& owner) {
    if (!owner["controller"].boolean()) return;
    out = owner["name"].text();
    const auto hash = meta.labels.find("pod-template-hash");
    if (owner["kind"].text() != "ReplicaSet" || hash == meta.labels.end()) return;
    if (const std::string suffix = str_cat("-", hash->second); out.ends_with(suffix))
      out.resize(out.size() - suffix.size());
  });
  return out;
}

Pod read_pod(const JsonField& root, Meta meta) {
  Pod out{.meta = std::move(meta)};
  out.workload_name = workload_name(root["metadata"]["ownerReferences"], out.meta);
  out.spec = read_pod_spec(root["spec"]);
  const JsonField status = root["status"];
  out.ips = read_ips(status["podIPs"], "ip", status["podIP"]);
  out.phase = status["phase"].text();
  status["conditions"].each([&](const JsonField& condition) {
    if (condition["type"].text() == "Ready") out.ready = condition["status"].text() == "True";
  });
  return out;
}

PodTemplate read_template(const JsonField& from) {
  PodTemplate out;
  out.labels = from["metadata"]["labels"].text_map();
  out.annotations = from["metadata"]["annotations"].text_map();
  out.spec = read_pod_spec(from["spec"]);
  return out;
}

Deployment read_deployment(const JsonField& root, Meta meta) {
  Deployment out{.meta = std::move(meta)};
  const JsonField spec = root["spec"];
  out.replicas = spec["replicas"].number(0, 10'000, 1);
  out.selector = spec["selector"]["matchLabels"].text_map();
  if (spec["selector"]["matchExpressions"].present())
    spec["selector"]["matchExpressions"].wrong("not supported here; use matchLabels");
  out.pod_template = read_template(spec["template"]);
  if (out.selector.empty()) spec["selector"]["matchLabels"].unexpected("at least one label");
  if (!selects(out.selector, out.pod_template.labels))
    spec["template"]["metadata"]["labels"].wrong("do not have the labels that spec.selector asks for");
  return out;
}

ServicePort read_service_port(const JsonField& from) {
  ServicePort out;
  out.name = from["name"].text();
  out.port = from["port"].needed_port();
  out.target = from["targetPort"].port_ref();
  if (!from["targetPort"].present()) out.target.number = out.port;
  out.transport = from["protocol"].text("TCP");
  out.app_protocol = from["appProtocol"].text();
  return out;
}

Service read_service(const JsonField& root, Meta meta) {
  Service out{.meta = std::move(meta)};
  const JsonField spec = root["spec"];
  out.type = spec["type"].text("ClusterIP");
  out.headless = spec["clusterIP"].text() == "None";
  if (!out.headless) out.cluster_ips = read_ips(spec["clusterIPs"], {}, spec["clusterIP"]);
  out.external_name = spec["externalName"].text();
  if (out.type == "ExternalName" && out.external_name.empty()) spec["externalName"].unexpected("a DNS name");
  out.selector = spec["selector"].text_map();
  out.publish_not_ready = spec["publishNotReadyAddresses"].boolean();
  spec["ports"].each([&](const JsonField& port) { out.ports.push_back(read_service_port(port)); });
  for (std::size_t i = 0; i < out.ports.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (out.ports[i].port == out.ports[k].port && out.ports[i].transport == out.ports[k].transport)
        spec["ports"].wrong(str_cat("port ", out.ports[i].port, " is there twice"));
  return out;
}

ConfigMap read_config_map(const JsonField& root, Meta meta) {
  return {std::move(meta), root["data"].text_map(), {}};
}

EndpointSlice read_endpoint_slice(const JsonField& root, Meta meta) {
  EndpointSlice out{.meta = std::move(meta)};
  const auto service = out.meta.labels.find("kubernetes.io/service-name");
  if (service != out.meta.labels.end()) out.service = service->second;
  root["ports"].each([&](const JsonField& port) {
    out.ports.push_back({port["name"].text(), port["port"].needed_port(), port["protocol"].text("TCP")});
  });
  root["endpoints"].each([&](const JsonField& from) {
    SliceEndpoint endpoint;
    endpoint.addresses = read_ips(from["addresses"], {}, from["address"]);
    endpoint.ready = from["conditions"]["ready"].boolean(true);
    endpoint.terminating = from["conditions"]["terminating"].boolean(false);
    if (from["targetRef"]["kind"].text() == "Pod") endpoint.pod = from["targetRef"]["name"].text();
    out.endpoints.push_back(std::move(endpoint));
  });
  return out;
}

std::string_view text_member(const Json& root, std::string_view key) {
  if (!root.is_object()) return {};
  const auto found = root.find(key);
  if (found == root.end() || !found->is_string()) return {};
  return *found->get_ptr<const std::string*>();
}

struct KnownKind {
  std::string_view api_version;
  std::string_view kind;
};
constexpr std::array<KnownKind, 7> known_kinds = {{{"v1", "Namespace"},
                                                   {"v1", "Pod"},
                                                   {"apps/v1", "Deployment"},
                                                   {"v1", "Service"},
                                                   {"v1", "ServiceAccount"},
                                                   {"v1", "ConfigMap"},
                                                   {"discovery.k8s.io/v1", "EndpointSlice"}}};

}  // namespace

Meta read_meta(const JsonField& metadata, bool namespaced, std::string_view default_namespace,
               bool needs_name) {
  Meta out;
  out.name = metadata["name"].dns_subdomain();
  if (out.name.empty() && needs_name) metadata["name"].unexpected("a name");
  out.generate_name = metadata["generateName"].text();
  if (namespaced) {
    out.name_space = metadata["namespace"].dns_label();
    if (out.name_space.empty()) out.name_space = default_namespace;
  }
  out.uid = metadata["uid"].text();
  out.resource_version = metadata["resourceVersion"].text();
  out.labels = metadata["labels"].text_map();
  out.annotations = metadata["annotations"].text_map();
  out.deletion_timestamp = metadata["deletionTimestamp"].text();
  return out;
}

bool knows_kind(const Json& root) {
  return std::any_of(known_kinds.begin(), known_kinds.end(), [&](const KnownKind& known) {
    return text_member(root, "apiVersion") == known.api_version && text_member(root, "kind") == known.kind;
  });
}

Object read_object(const Json& json, std::string_view default_namespace, Problem& problem) {
  const JsonField root(json, problem);
  const std::string_view kind = text_member(json, "kind");
  Meta meta = read_meta(root["metadata"], kind != "Namespace", default_namespace, true);
  if (kind == "Namespace") return read_namespace(root, std::move(meta));
  if (kind == "Pod") return read_pod(root, std::move(meta));
  if (kind == "Deployment") return read_deployment(root, std::move(meta));
  if (kind == "Service") return read_service(root, std::move(meta));
  if (kind == "ServiceAccount") return ServiceAccount{std::move(meta), {}};
  if (kind == "ConfigMap") return read_config_map(root, std::move(meta));
  return read_endpoint_slice(root, std::move(meta));
}

std::string describe_json(const Json& root, std::string_view default_namespace) {
  const std::string_view kind = text_member(root, "kind");
  std::string_view name;
  std::string_view name_space;
  if (root.is_object() && root.contains("metadata")) {
    name = text_member(root["metadata"], "name");
    name_space = text_member(root["metadata"], "namespace");
  }
  if (name_space.empty()) name_space = default_namespace;
  if (kind.empty()) return "object without a kind";
  if (name.empty()) return printable(kind);
  if (kind == "Namespace") return str_cat("Namespace ", printable(name));
  return printable(str_cat(kind, " ", name_space, "/", name));
}

Result<Object> parse_object(std::string_view json, std::string_view default_namespace) {
  WEFT_ASSIGN(const Json root, parse_json(json));
  if (!knows_kind(root))
    return fail(Code::not_found,
                str_cat(describe_json(root, default_namespace), ": weft does not use this kind"));
  Problem problem;
  Object object = read_object(root, default_namespace, problem);
  if (!problem.message.empty())
    return fail(Code::invalid, str_cat(describe_json(root, default_namespace), ": ", problem.text()));
  std::visit([&](auto& value) { value.json = json; }, object);
  return object;
}

Result<Pod> parse_pod(std::string_view json, std::string_view default_namespace) {
  WEFT_ASSIGN(const Json root, parse_json(json));
  Problem problem;
  const JsonField field(root, problem);
  Pod pod = read_pod(field, read_meta(field["metadata"], true, default_namespace, false));
  if (!problem.message.empty())
    return fail(Code::invalid, str_cat(describe(Object(pod)), ": ", problem.text()));
  pod.json = json;
  return pod;
}

Result<PodTemplate> parse_pod_template(std::string_view json) {
  WEFT_ASSIGN(const Json root, parse_json(json));
  Problem problem;
  PodTemplate out = read_template(JsonField(root, problem));
  if (!problem.message.empty()) return fail(Code::invalid, str_cat("pod template: ", problem.text()));
  return out;
}

}  // namespace weft::kube
