#include "cli/inject.h"

#include <cstdio>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/local/verb_support.h"
#include "injector/json_patch.h"
#include "injector/pod_patch.h"
#include "kube/manifests.h"

namespace weft::cli {
namespace {

using nlohmann::json;

// Where an object keeps its pod: itself, or its template; null: it has none.
json* pod_of(json& object) {
  const auto kind = object.find("kind");
  if (kind == object.end()) return nullptr;
  if (*kind == "Pod") return &object;
  const auto spec = object.find("spec");
  if (spec == object.end() || !spec->is_object()) return nullptr;
  const auto pod_template = spec->find("template");
  return pod_template == spec->end() || !pod_template->is_object() ? nullptr : &*pod_template;
}

Status inject_pod(json& pod, const std::string& where) {
  const std::string text = pod.dump();
  WEFT_ASSIGN(const injector::PodPatch patch, injector::make_pod_patch(text, {}));
  for (const std::string& warning : patch.warnings)
    std::fprintf(stderr, "weft: %s: %s\n", where.c_str(), warning.c_str());
  if (patch.operations.empty()) {
    std::fprintf(stderr, "weft: %s: left as it is: %s\n", where.c_str(), patch.reason.c_str());
    return {};
  }
  WEFT_ASSIGN(const std::string patched, injector::apply_json_patch(text, patch.operations));
  pod = json::parse(patched, nullptr, false);
  return {};
}

Status inject_document(const kube::Document& document) {
  const std::string where = str_cat(document.origin.file, ":", document.origin.line);
  json object = json::parse(document.json, nullptr, false);
  std::vector<json*> objects{&object};
  // The items of a List are objects like any other.
  if (object.is_object() && object.value("kind", "") == "List" && object["items"].is_array()) {
    objects.clear();
    for (json& item : object["items"]) objects.push_back(&item);
  }
  for (json* each : objects) {
    json* const pod = each->is_object() ? pod_of(*each) : nullptr;
    if (pod == nullptr) continue;
    if (Status injected = inject_pod(*pod, where); !injected) return fail(injected.error().in(where));
  }
  std::printf("---\n%s", kube::to_yaml(object.dump()).c_str());
  return {};
}

}  // namespace

int inject(const InjectOptions& options) {
  const auto files = local::read_manifest_files(options.files);
  if (!files) return local::report(files.error());
  for (const local::ManifestFile& file : *files) {
    const auto documents = kube::parse_documents(file.text, file.name);
    if (!documents) return local::report(documents.error());
    for (const kube::Document& document : *documents) {
      if (const Status injected = inject_document(document); !injected)
        return local::report(injected.error());
    }
  }
  return 0;
}

}  // namespace weft::cli
