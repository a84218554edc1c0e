// The verbs that change something and say what: annotate, scale, delete-pod, apply.
#include <cstdio>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/local/verb_support.h"

namespace weft::local {
namespace {

int finish(const Result<std::string>& answer, const std::string& done) {
  if (!answer) return report(answer.error());
  std::puts(done.c_str());
  return 0;
}

}  // namespace

int annotate(const AnnotateOptions& options) {
  ControlRequest request;
  request.verb = "annotate";
  request.name = options.object;
  request.changes = options.changes;
  return finish(ask(options.target, std::move(request)), str_cat(options.object, " annotated"));
}

int scale(const ScaleOptions& options) {
  ControlRequest request;
  request.verb = "scale";
  request.name = options.object;
  request.replicas = options.replicas;
  return finish(ask(options.target, std::move(request)),
                str_cat(options.object, " scaled to ", options.replicas));
}

int delete_pod(const DeletePodOptions& options) {
  ControlRequest request;
  request.verb = "delete-pod";
  request.name = options.pod;
  request.grace = options.grace_seconds;
  return finish(ask(options.target, std::move(request)), str_cat("pod/", options.pod, " deleted"));
}

int apply(const ApplyOptions& options) {
  const Result<std::vector<ManifestFile>> files = read_manifest_files(options.files);
  if (!files) return report(files.error());
  for (const ManifestFile& file : *files) {
    ControlRequest request;
    request.verb = "apply";
    request.file = file.name;
    request.text = file.text;
    const Result<std::string> answer = ask(options.target, std::move(request));
    if (!answer) return report(answer.error());
    const nlohmann::json object = nlohmann::json::parse(*answer, nullptr, false);
    for (const char* list : {"done", "skipped"}) {
      const auto lines = object.find(list);
      if (lines == object.end() || !lines->is_array()) continue;
      for (const nlohmann::json& line : *lines) {
        if (line.is_string()) std::puts(line.get_ptr<const std::string*>()->c_str());
      }
    }
  }
  return 0;
}

}  // namespace weft::local
