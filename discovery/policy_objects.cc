#include "discovery/policy_objects.h"

#include "base/text.h"

namespace weft::discovery {
namespace {

// `owner` names the object in the rules' names: "service default/world".
template <class Entries, class Parse>
std::vector<policy::AnnotationError> read(Entries& entries, const kube::Meta& meta, const std::string& owner,
                                          Parse parse) {
  const auto [found, added] = entries.try_emplace({meta.name_space, meta.name});
  auto& entry = found->second;
  if (!added && entry.annotations == meta.annotations) return {};
  entry.annotations = meta.annotations;
  entry.read = parse(meta.annotations, owner, policy::Annotations(entry.read.good));
  return entry.read.errors;
}

template <class Entries>
const auto& settings(const Entries& entries, std::string_view name_space, std::string_view name) {
  static const decltype(Entries::mapped_type::read.settings) defaults;
  const auto found = entries.find({std::string(name_space), std::string(name)});
  return found == entries.end() ? defaults : found->second.read.settings;
}

template <class Entries>
std::size_t errors(const Entries& entries) {
  std::size_t count = 0;
  for (const auto& [name, entry] : entries) count += entry.read.errors.size();
  return count;
}

template <class Entries>
void add_wrong(std::vector<PolicyObjects::Wrong>& out, std::string_view kind, const Entries& entries) {
  for (const auto& [name, entry] : entries) {
    if (entry.read.errors.empty()) continue;
    out.push_back({str_cat(kind, " ", name.first, name.first.empty() ? "" : "/", name.second),
                   entry.read.errors, entry.read.good});
  }
}

}  // namespace

std::vector<policy::AnnotationError> PolicyObjects::put(const kube::Object& object) {
  const kube::Meta& meta = kube::meta_of(object);
  const std::string name = str_cat(meta.name_space, "/", meta.name);
  if (std::holds_alternative<kube::Service>(object))
    return read(services_, meta, str_cat("service ", name), policy::parse_service_annotations);
  if (std::holds_alternative<kube::Pod>(object))
    return read(pods_, meta, str_cat("pod ", name), policy::parse_pod_annotations);
  if (std::holds_alternative<kube::Namespace>(object))
    return read(namespaces_, meta, str_cat("namespace ", meta.name), policy::parse_namespace_annotations);
  return {};
}

void PolicyObjects::remove(const ObjectKey& key) {
  const std::pair name{key.name_space, key.name};
  if (key.kind == "Service") services_.erase(name);
  if (key.kind == "Pod") pods_.erase(name);
  if (key.kind == "Namespace") namespaces_.erase(name);
}

const policy::ServiceSettings& PolicyObjects::service(std::string_view name_space,
                                                      std::string_view name) const {
  return settings(services_, name_space, name);
}

const policy::PodSettings& PolicyObjects::pod(std::string_view name_space, std::string_view name) const {
  return settings(pods_, name_space, name);
}

const policy::NamespaceSettings& PolicyObjects::name_space(std::string_view name) const {
  return settings(namespaces_, {}, name);
}

std::vector<PolicyObjects::Wrong> PolicyObjects::wrong() const {
  std::vector<Wrong> out;
  add_wrong(out, "Namespace", namespaces_);
  add_wrong(out, "Service", services_);
  add_wrong(out, "Pod", pods_);
  return out;
}

std::size_t PolicyObjects::refused() const { return errors(services_) + errors(pods_) + errors(namespaces_); }

}  // namespace weft::discovery
