#include "cli/local/cluster.h"

#include <unistd.h>

#include <filesystem>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "cli/local/pod_json.h"
#include "cli/local/volumes.h"
#include "kube/manifests.h"

namespace weft::local {

namespace {

// The same object with another JSON text.
Result<kube::Object> reread(const std::string& json, const std::string& name_space) {
  return kube::parse_object(json, name_space.empty() ? "default" : name_space);
}

template <class Map>
const std::string* json_of(const Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second.json;
}

}  // namespace

Cluster::Cluster(const StateFolder& folder, Random& random) : folder_(folder), random_(random) {
  ensure_namespace("default");
}

std::string Cluster::file_of(std::string_view kind, const std::string& name_space,
                             const std::string& name) const {
  return str_cat(folder_.cluster(), "/", kind, ".", name_space, name_space.empty() ? "" : ".", name, ".json");
}

void Cluster::write(std::string_view kind, const std::string& name_space, const std::string& name,
                    const std::string& json) {
  const Status written =
      write_file_atomically(file_of(kind, name_space, name), json, 0644, folder_.scratch());
  if (!written) log::error("object not written for discovery", {{"why", written.error().message}});
}

void Cluster::write_pod(const std::string& name_space, const std::string& name, const std::string& json) {
  write("Pod", name_space, name, json);
}

void Cluster::remove_pod(const std::string& name_space, const std::string& name) {
  ::unlink(file_of("Pod", name_space, name).c_str());
}

Result<std::vector<std::string>> Cluster::written_objects() const {
  std::vector<std::string> objects;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.cluster(), error)) {
    if (entry.path().filename().string().starts_with("ConfigMap.")) continue;  // no business of routing
    // One may be gone since it was listed.
    if (Result<std::string> text = read_file(entry.path(), kube::manifest_bytes_max))
      objects.push_back(*std::move(text));
  }
  if (error) return fail(Code::io, str_cat(folder_.cluster(), ": ", error.message()));
  return objects;
}

void Cluster::ensure_namespace(const std::string& name) {
  if (name.empty() || namespaces_.contains(name)) return;
  const std::string json = str_cat(R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":")", name,
                                   R"(","labels":{"kubernetes.io/metadata.name":")", name, R"("}}})");
  if (Result<kube::Object> made = kube::parse_object(json)) (void)put(*std::move(made));
}

kube::Labels Cluster::namespace_labels(const std::string& name) const {
  const auto found = namespaces_.find(name);
  return found == namespaces_.end() ? kube::Labels() : found->second.meta.labels;
}

const kube::ConfigMap* Cluster::config_map(const std::string& name_space, const std::string& name) const {
  const auto found = config_maps_.find({name_space, name});
  return found == config_maps_.end() ? nullptr : &found->second;
}

const std::string& Cluster::service_account_uid(const std::string& name_space, const std::string& name) {
  std::string& uid = service_accounts_[{name_space, name}];
  if (uid.empty()) uid = make_uuid(random_);
  return uid;
}

Status Cluster::give_addresses(kube::Service& service) {
  if (service.headless || !service.external_name.empty()) return {};
  WEFT_ASSIGN(ServiceWish wish, service_wish(service.json));
  wish.v6 = wish.v6 && has_ipv6();
  if (!wish.v4 && !wish.v6)
    return fail(Code::invalid, "of IPv6 alone, which is switched off on this machine");
  const auto before = services_.find({service.meta.name_space, service.meta.name});
  std::uint32_t index = 0;
  if (before != services_.end() && !before->second.cluster_ips.empty()) {
    WEFT_ASSIGN(index, service_index_of(before->second.cluster_ips.front()));
  } else if (!wish.cluster_ips.empty()) {
    WEFT_ASSIGN(index, service_index_of(wish.cluster_ips.front()));
    WEFT_TRY(service_indexes_.take(index));
  } else {
    WEFT_ASSIGN(index, service_indexes_.take());
  }
  const AddressPair pair = service_addresses(index);
  service.cluster_ips.clear();
  if (wish.v4) service.cluster_ips.push_back(pair.v4);
  if (wish.v6)
    service.cluster_ips.insert(wish.v6_first ? service.cluster_ips.begin() : service.cluster_ips.end(),
                               pair.v6);
  service.json = with_cluster_ips(service.json, service.cluster_ips);
  return {};
}

Status Cluster::keep(kube::Service service) {
  if (Status given = give_addresses(service); !given) {
    return fail(given.error().in(
        str_cat("Service ", service.meta.name_space, "/", service.meta.name, ": clusterIP")));
  }
  write("Service", service.meta.name_space, service.meta.name, service.json);
  ObjectKey key{service.meta.name_space, service.meta.name};
  services_.insert_or_assign(std::move(key), std::move(service));
  return {};
}

Result<std::string> Cluster::put(kube::Object object) {
  const kube::Meta meta = kube::meta_of(object);
  const std::string_view kind = kube::kind_of(object);
  const ObjectKey key{meta.name_space, meta.name};
  const std::string file = file_of(kind, meta.name_space, meta.name);
  const bool known = ::access(file.c_str(), F_OK) == 0;
  if (auto* service = std::get_if<kube::Service>(&object)) {
    WEFT_TRY(keep(std::move(*service)));
  } else {
    const std::string json = std::visit([](const auto& any) { return any.json; }, object);
    write(kind, meta.name_space, meta.name, json);
  }
  if (auto* name_space = std::get_if<kube::Namespace>(&object))
    namespaces_[meta.name] = std::move(*name_space);
  if (auto* deployment = std::get_if<kube::Deployment>(&object)) deployments_[key] = std::move(*deployment);
  if (auto* slice = std::get_if<kube::EndpointSlice>(&object)) slices_[key] = std::move(*slice);
  if (auto* map = std::get_if<kube::ConfigMap>(&object)) config_maps_[key] = std::move(*map);
  return str_cat(ascii_lower(kind), "/", meta.name, known ? " configured" : " created");
}

Result<std::string> Cluster::apply(kube::Object object) {
  ensure_namespace(kube::meta_of(object).name_space);
  return put(std::move(object));
}

Result<kube::Object> Cluster::annotate(const ObjectRef& ref, const std::string& name_space,
                                       const std::vector<AnnotationChange>& changes) {
  const ObjectKey key{name_space, ref.name};
  const std::string* json = nullptr;
  if (ref.kind == "Service") json = json_of(services_, key);
  if (ref.kind == "Deployment") json = json_of(deployments_, key);
  if (ref.kind == "Namespace") json = json_of(namespaces_, ref.name);
  if (json == nullptr) {
    return fail(Code::not_found,
                str_cat("no ", ref.kind, " ", ref.kind == "Namespace" ? "" : name_space + "/", ref.name));
  }
  WEFT_ASSIGN(const std::string changed, annotated_json(*json, changes));
  WEFT_ASSIGN(kube::Object object, reread(changed, name_space));
  WEFT_TRY(put(object));
  return object;
}

Status Cluster::scale(const std::string& name_space, const std::string& name, std::uint32_t replicas) {
  const std::string* json = json_of(deployments_, {name_space, name});
  if (json == nullptr) return fail(Code::not_found, str_cat("no Deployment ", name_space, "/", name));
  WEFT_ASSIGN(const std::string changed, scaled_json(*json, replicas));
  WEFT_ASSIGN(kube::Object object, reread(changed, name_space));
  return put(std::move(object)).map([](const std::string&) {});
}

}  // namespace weft::local
