// The API objects of a local mesh: what was applied, with what the API server and its controllers would have
// filled in, mirrored as one file an object into the folder that discovery watches. Lives on the loop's
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "cli/local/addresses.h"
#include "cli/local/command_line.h"
#include "cli/local/endpoints.h"
#include "cli/local/node.h"
#include "kube/objects.h"

namespace weft::local {

class Cluster {
 public:
  Cluster(const StateFolder& folder, Random& random);

  // What kubectl would print: "service/hello created". Pods are not kept here: the caller takes them first.
  Result<std::string> apply(kube::Object object);
  // Gives the object as it is now.
  Result<kube::Object> annotate(const ObjectRef& ref, const std::string& name_space,
                                const std::vector<AnnotationChange>& changes);
  Status scale(const std::string& name_space, const std::string& name, std::uint32_t replicas);

  const std::map<ObjectKey, kube::Deployment>& deployments() const { return deployments_; }
  const std::map<ObjectKey, kube::Service>& services() const { return services_; }
  const std::map<ObjectKey, kube::EndpointSlice>& slices() const { return slices_; }
  const kube::ConfigMap* config_map(const std::string& name_space, const std::string& name) const;
  kube::Labels namespace_labels(const std::string& name) const;
  // Made on first use, as the default account is in every namespace.
  const std::string& service_account_uid(const std::string& name_space, const std::string& name);
  // The files that discovery watches, ConfigMaps left out: the JSON of each object.
  Result<std::vector<std::string>> written_objects() const;
  // Namespaces that something is in exist.
  void ensure_namespace(const std::string& name);

  void write_pod(const std::string& name_space, const std::string& name, const std::string& json);
  void remove_pod(const std::string& name_space, const std::string& name);

 private:
  Status give_addresses(kube::Service& service);
  Status keep(kube::Service service);
  Result<std::string> put(kube::Object object);
  void write(std::string_view kind, const std::string& name_space, const std::string& name,
             const std::string& json);
  std::string file_of(std::string_view kind, const std::string& name_space, const std::string& name) const;

  const StateFolder& folder_;
  Random& random_;
  std::map<std::string, kube::Namespace> namespaces_;
  std::map<ObjectKey, kube::Deployment> deployments_;
  std::map<ObjectKey, kube::Service> services_;
  std::map<ObjectKey, kube::EndpointSlice> slices_;
  std::map<ObjectKey, kube::ConfigMap> config_maps_;
  std::map<ObjectKey, std::string> service_accounts_;  // uids
  IndexPool service_indexes_{first_service_index, address_index_max};
};

}  // namespace weft::local
