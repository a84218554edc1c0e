#include "cli/check.h"

#include <cstdio>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/local/verb_support.h"
#include "kube/manifests.h"
#include "policy/annotations.h"

namespace weft::cli {
namespace {

using nlohmann::json;
using policy::Annotations;

const json* member(const json* object, const char* name) {
  if (object == nullptr || !object->is_object()) return nullptr;
  const auto found = object->find(name);
  return found == object->end() ? nullptr : &*found;
}

std::string text_of(const json* value) {
  return value != nullptr && value->is_string() ? *value->get_ptr<const std::string*>() : std::string();
}

Annotations texts_of(const json* object) {
  Annotations out;
  if (object == nullptr || !object->is_object()) return out;
  for (const auto& [key, value] : object->items()) {
    if (value.is_string()) out[key] = *value.get_ptr<const std::string*>();
  }
  return out;
}

// One object of a document, and where to say that something is wrong with it.
class Checking {
 public:
  Checking(const json& object, std::string_view place, Findings& findings)
      : object_(object), findings_(findings), kind_(text_of(member(&object, "kind"))) {
    const json* meta = member(&object, "metadata");
    std::string name_space = text_of(member(meta, "namespace"));
    if (name_space.empty()) name_space = "default";
    const std::string name = text_of(member(meta, "name"));
    where_ = kind_ == "Namespace" ? str_cat(place, kind_, " ", name)
                                  : str_cat(place, kind_, " ", name_space, "/", name);
  }

  void run() {
    const json* meta = member(&object_, "metadata");
    const Annotations annotations = texts_of(member(meta, "annotations"));
    const Annotations labels = texts_of(member(meta, "labels"));
    if (kind_ == "Service") {
      note(policy::parse_service_annotations(annotations).errors);
    } else if (kind_ == "Namespace") {
      note(policy::errors_of_namespace(annotations, labels));
    } else if (kind_ == "Pod") {
      note(policy::errors_of_pod(annotations, labels));
    } else {
      refuse_here(annotations);
    }
    check_template();
  }

 private:
  // A Deployment's, a Job's, or a CronJob's, which lies deeper.
  void check_template() {
    const json* spec = member(&object_, "spec");
    if (const json* job = member(member(spec, "jobTemplate"), "spec")) spec = job;
    const json* meta = member(member(spec, "template"), "metadata");
    if (meta == nullptr) return;
    note(policy::errors_of_pod(texts_of(member(meta, "annotations")), texts_of(member(meta, "labels"))));
  }
  void refuse_here(const Annotations& annotations) {
    for (const auto& [key, value] : annotations) {
      if (key.starts_with(policy::annotation_prefix))
        add(str_cat(key, ": has no meaning on a ", kind_,
                    ": it belongs on a Service, a Namespace or under spec.template.metadata of a workload"));
    }
  }
  void note(const std::vector<policy::AnnotationError>& errors) {
    for (const policy::AnnotationError& error : errors) add(error.to_string());
  }
  void add(const std::string& what) { findings_.errors.push_back(str_cat(where_, ": ", what)); }

  const json& object_;
  Findings& findings_;
  std::string kind_;
  std::string where_;
};

}  // namespace

void check_text(std::string_view text, const std::string& file, Findings& findings) {
  const auto documents = kube::parse_documents(text, file);
  if (!documents) return findings.errors.push_back(documents.error().message);
  for (const Error& error : kube::parse_manifests(text, file).errors)
    findings.errors.push_back(error.message);
  for (const kube::Document& document : *documents) {
    const json object = json::parse(document.json, nullptr, false);
    const std::string place = str_cat(file, ":", document.origin.line, ": ");
    const json* items = text_of(member(&object, "kind")) == "List" ? member(&object, "items") : nullptr;
    const bool list = items != nullptr && items->is_array();
    for (const json& one : list ? *items : json::array({object})) {
      ++findings.objects;
      Checking(one, place, findings).run();
    }
  }
}

int check(const CheckOptions& options) {
  const auto files = local::read_manifest_files(options.files);
  if (!files) return local::report(files.error());
  Findings findings;
  for (const local::ManifestFile& file : *files) check_text(file.text, file.name, findings);
  for (const std::string& error : findings.errors) std::fprintf(stderr, "%s\n", error.c_str());
  std::printf("%zu objects, %zu errors\n", findings.objects, findings.errors.size());
  return findings.errors.empty() ? 0 : 1;
}

}  // namespace weft::cli
