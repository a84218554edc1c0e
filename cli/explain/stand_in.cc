#include "cli/explain/stand_in.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "cli/local/addresses.h"
#include "cli/local/pod_json.h"
#include "injector/eligibility.h"
#include "injector/json_patch.h"
#include "injector/pod_patch.h"

namespace weft::cli {
namespace {

constexpr std::uint32_t replicas_max = 100;  // more say nothing new

class Applying {
 public:
  explicit Applying(const std::vector<kube::Object>& manifests) {
    for (const kube::Object& object : manifests) {
      if (const auto* space = std::get_if<kube::Namespace>(&object))
        labels_[space->meta.name] = space->meta.labels;
    }
  }

  void add(const kube::Object& object) {
    if (const auto* deployment = std::get_if<kube::Deployment>(&object)) return add_deployment(*deployment);
    if (const auto* pod = std::get_if<kube::Pod>(&object)) {
      if (!pod->ips.empty()) return keep(*pod);
      note(add_pod(pod->json, pod->meta.labels, pod->meta.name_space), kube::describe(object));
    } else if (const auto* service = std::get_if<kube::Service>(&object)) {
      add_service(*service);
    } else {
      keep(object);
    }
  }
  AsApplied take() { return std::move(out_); }

 private:
  void keep(kube::Object object) { out_.objects.push_back(std::move(object)); }
  void note(const Status& added, const std::string& what) {
    if (!added)
      out_.notes.push_back(str_cat(what, ": its pods would not be created: ", added.error().message));
  }

  void add_deployment(const kube::Deployment& deployment) {
    const kube::Meta& meta = deployment.meta;
    for (std::uint32_t i = 1; i <= std::min(deployment.replicas, replicas_max); ++i) {
      const Result<std::string> json = local::pod_from_template(
          deployment.json, {meta.name_space, str_cat(meta.name, "-", i), {}, meta.name, {}});
      const Status added =
          json ? add_pod(*json, deployment.pod_template.labels, meta.name_space) : Status(fail(json.error()));
      note(added, kube::describe(deployment));
      if (!added) return;
    }
  }

  Status add_pod(std::string json, const kube::Labels& labels, const std::string& name_space) {
    WEFT_TRY(inject(json, labels, name_space));
    const local::AddressPair ips = local::pod_addresses(next_pod_++);
    json = local::pod_status_json(json, {{}, "Running", true, {ips.v4, ips.v6}});
    WEFT_ASSIGN(kube::Pod pod, kube::parse_pod(json, name_space));
    keep(std::move(pod));
    return {};
  }

  Status inject(std::string& json, const kube::Labels& labels, const std::string& name_space) {
    const injector::InjectorConfig config;
    const std::string& system = config.control_plane_namespace;
    if (!injector::selected_for_injection(name_space, labels_[name_space], labels, system)) return {};
    WEFT_ASSIGN(const std::string excluded, injector::excluded_in_webhook(name_space, labels, system));
    if (!excluded.empty()) return {};
    WEFT_ASSIGN(const injector::PodPatch patch, injector::make_pod_patch(json, config));
    if (patch.operations.empty()) return {};
    WEFT_ASSIGN(json, injector::apply_json_patch(json, patch.operations));
    return {};
  }

  void add_service(kube::Service service) {
    if (!service.headless && service.external_name.empty() && service.cluster_ips.empty()) {
      const local::AddressPair ips = local::service_addresses(next_service_++);
      service.cluster_ips = {ips.v4, ips.v6};
      service.json = local::with_cluster_ips(service.json, service.cluster_ips);
    }
    keep(std::move(service));
  }

  std::map<std::string, kube::Labels> labels_;  // of Namespaces
  std::uint32_t next_pod_ = local::first_pod_index;
  std::uint32_t next_service_ = local::first_service_index;
  AsApplied out_;
};

}  // namespace

AsApplied as_applied(const std::vector<kube::Object>& manifests) {
  Applying applying(manifests);
  for (const kube::Object& object : manifests) applying.add(object);
  return applying.take();
}

}  // namespace weft::cli
