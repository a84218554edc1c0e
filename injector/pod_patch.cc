#include "injector/pod_patch.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "injector/json_patch.h"
#include "injector/pod_parts.h"
#include "injector/probe_rewrite.h"
#include "injector/scrape_rewrite.h"
#include "policy/annotations.h"

namespace weft::injector {
namespace {

constexpr std::string_view status_annotation = "weft.mesh/status";
constexpr std::int64_t default_grace_seconds = 30;

bool has_named(const Json* list, std::string_view name) {
  if (list == nullptr) return false;
  return std::any_of(list->begin(), list->end(), [&](const Json& element) {
    const Json* found = member(element, "name");
    return found != nullptr && *found == name;
  });
}

struct PodView {
  const Json* spec = nullptr;
  const Json* init_containers = nullptr;
  const Json* containers = nullptr;
  const Json* volumes = nullptr;
  policy::Annotations annotations;
};

Result<PodView> view_of(const Json& pod) {
  PodView view;
  if (!pod.is_object()) return fail(Code::invalid, "the pod: expected an object");
  WEFT_ASSIGN(view.spec, needed_object_member(pod, "", "spec"));
  WEFT_ASSIGN(view.init_containers, list_member(*view.spec, "spec", "initContainers"));
  WEFT_ASSIGN(view.containers, list_member(*view.spec, "spec", "containers"));
  WEFT_ASSIGN(view.volumes, list_member(*view.spec, "spec", "volumes"));
  if (view.containers == nullptr || view.containers->empty())
    return fail(Code::invalid, "spec.containers: missing");
  if (const Json* metadata = member(pod, "metadata")) {
    WEFT_ASSIGN(view.annotations, text_map_member(*metadata, "metadata", "annotations"));
  }
  return view;
}

// The user a container runs as, where the pod says it.
const Json* user_of(const Json& container, const Json& spec) {
  const Json* own = member_at(container, {"securityContext", "runAsUser"});
  return own != nullptr ? own : member_at(spec, {"securityContext", "runAsUser"});
}

Status check_container(const Json& container, const std::string& path, const Json& spec) {
  WEFT_ASSIGN(const std::string name, needed_text_member(container, path, "name"));
  if (name == init_name || name == sidecar_name) {
    return fail(Code::refused,
                str_cat(path, ".name: '", name, "' belongs to weft; give the container another name"));
  }
  const Json* user = user_of(container, spec);
  if (user != nullptr && *user == sidecar_uid) {
    return fail(Code::refused,
                str_cat("container ", printable(name), " runs as user ", sidecar_uid,
                        ", which is the sidecar's own: its connections would go past the mesh; set "
                        "securityContext.runAsUser to another"));
  }
  WEFT_ASSIGN(const Json* const mounts, list_member(container, path, "volumeMounts"));
  for (const std::string_view volume : own_volumes) {
    if (!has_named(mounts, volume)) continue;
    return fail(Code::refused,
                str_cat("container ", printable(name), " mounts ", volume, ", which only the sidecar may"));
  }
  return {};
}

// What must not be injected, for it would not work or would weaken the mesh.
Status check_pod(const PodView& view) {
  const Json* host_network = member(*view.spec, "hostNetwork");
  if (host_network != nullptr && *host_network == true) {
    return fail(
        Code::refused,
        "hostNetwork pods cannot take part: the node's own network rules would have to change; label the "
        "pod weft.mesh/inject: \"false\"");
  }
  for (const auto& [list, name] : {std::pair{view.init_containers, "spec.initContainers"},
                                   std::pair{view.containers, "spec.containers"}}) {
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      WEFT_TRY(check_container((*list)[i], element_path(name, i), *view.spec));
    }
  }
  for (const std::string_view volume : own_volumes) {
    if (has_named(view.volumes, volume)) {
      return fail(Code::refused,
                  str_cat("spec.volumes: '", volume, "' belongs to weft; give the volume another name"));
    }
  }
  return {};
}

Result<policy::PodSettings> read_annotations(const PodView& view) {
  const auto read = policy::parse_pod_annotations(view.annotations);
  if (read.errors.empty()) return read.settings;
  std::vector<std::string> messages;
  for (const auto& error : read.errors) messages.push_back(error.to_string());
  return fail(Code::invalid, str_cat("annotation ", join(messages, "; ")));
}

Json add(std::string path, Json value) {
  return {{"op", "add"}, {"path", std::move(path)}, {"value", std::move(value)}};
}

// Adds `values` at the front or the back of a list that may not be there yet.
void add_to_list(Json& operations, const std::string& pointer, bool exists, bool front, Json values) {
  if (!exists) {
    operations.push_back(add(pointer, std::move(values)));
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    operations.push_back(add(str_cat(pointer, "/", front ? std::to_string(i) : "-"), std::move(values[i])));
  }
}

void add_status(Json& operations, const Json& pod, const InjectorConfig& config) {
  if (member(pod, "metadata") == nullptr) operations.push_back(add("/metadata", Json::object()));
  if (member_at(pod, {"metadata", "annotations"}) == nullptr) {
    operations.push_back(add("/metadata/annotations", Json::object()));
  }
  operations.push_back(add(str_cat("/metadata/annotations/", pointer_escape(status_annotation)),
                           to_text(make_status(config))));
}

std::optional<std::size_t> place_of(const Json& list, std::string_view name) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Json* found = member(list[i], "name");
    if (found != nullptr && *found == name) return i;
  }
  return std::nullopt;
}

// A pod that has its sidecar may have got further containers since, from webhooks behind ours: their probes
// are sent to the sidecar as well. The sidecar has not started yet, so its environment may still change.
Result<PodPatch> patch_injected(const Json& pod, const PodView& view) {
  WEFT_ASSIGN(ProbeRewrites probes, rewrite_probes(pod));
  if (probes.operations.empty()) return PodPatch{"", "the pod has its sidecar already", {}};
  const std::size_t sidecar = *place_of(*view.init_containers, sidecar_name);
  const std::string path = element_path("spec.initContainers", sidecar);
  WEFT_ASSIGN(const Json* const variables, list_member((*view.init_containers)[sidecar], path, "env"));
  if (variables == nullptr) return fail(Code::invalid, str_cat(path, ".env: missing"));
  const std::string pointer = str_cat("/spec/initContainers/", sidecar, "/env/");
  Json operations = std::move(probes.operations);
  const auto known = place_of(*variables, probes_variable);
  if (!known) {
    operations.push_back(
        add(pointer + "-", {{"name", probes_variable}, {"value", to_text(probes.originals)}}));
  } else {
    WEFT_ASSIGN(const std::string text, text_member((*variables)[*known], path, "value"));
    WEFT_ASSIGN(Json all, parse_json(text, probes_variable));
    if (!all.is_object()) return fail(Code::invalid, str_cat(probes_variable, ": expected an object"));
    all.update(probes.originals);
    operations.push_back(
        {{"op", "replace"}, {"path", str_cat(pointer, *known, "/value")}, {"value", to_text(all)}});
  }
  return PodPatch{to_text(operations), "", std::move(probes.warnings)};
}

std::int64_t grace_seconds(const PodView& view) {
  const Json* seconds = member(*view.spec, "terminationGracePeriodSeconds");
  const bool usable = seconds != nullptr && seconds->is_number_unsigned();
  return usable ? seconds->get<std::int64_t>() : default_grace_seconds;
}

}  // namespace

Result<PodPatch> make_pod_patch(std::string_view pod_text, const InjectorConfig& config) {
  WEFT_ASSIGN(const Json pod, parse_json(pod_text, "the pod"));
  WEFT_ASSIGN(const PodView view, view_of(pod));
  if (has_named(view.init_containers, init_name) && has_named(view.init_containers, sidecar_name)) {
    return patch_injected(pod, view);
  }
  WEFT_TRY(check_pod(view));
  WEFT_ASSIGN(const policy::PodSettings settings, read_annotations(view));
  WEFT_ASSIGN(ProbeRewrites probes, rewrite_probes(pod));
  ScrapeRewrite scrape = rewrite_scrape(pod, view.annotations);

  // Probes first: they are addressed by the places that containers have before ours are put in front.
  Json operations = Json::array();
  for (Json& operation : probes.operations) operations.push_back(std::move(operation));
  Json containers = Json::array();
  containers.push_back(make_init_container(config, settings));
  containers.push_back(
      make_sidecar_container({config, settings, probes.originals, scrape.endpoint, grace_seconds(view)}));
  add_to_list(operations, "/spec/initContainers", view.init_containers != nullptr, true,
              std::move(containers));
  add_to_list(operations, "/spec/volumes", view.volumes != nullptr, false, make_volumes(config));
  for (Json& operation : scrape.operations) operations.push_back(std::move(operation));
  add_status(operations, pod, config);
  probes.warnings.insert(probes.warnings.end(), scrape.warnings.begin(), scrape.warnings.end());
  return PodPatch{to_text(operations), "", std::move(probes.warnings)};
}

}  // namespace weft::injector
