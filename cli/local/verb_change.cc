// The verbs that change something and say what: annotate, scale, delete-pod, apply.
#include <cstdio>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/local/verb_support.h"

namespace weft::local {
namespace {

// Every text in a list of an answer.
void for_each_line(const nlohmann::json& answer, const char* list, void (*print)(const std::string&)) {
  const auto lines = answer.find(list);
  if (lines == answer.end() || !lines->is_array()) return;
  for (const nlohmann::json& line : *lines) {
    if (line.is_string()) print(*line.get_ptr<const std::string*>());
  }
}

void print_lists(const std::string& text) {
  const nlohmann::json answer = nlohmann::json::parse(text, nullptr, false);
  for (const char* list : {"done", "skipped"}) {
    for_each_line(answer, list, [](const std::string& line) { std::puts(line.c_str()); });
  }
  for_each_line(answer, "warnings", [](const std::string& line) { warn(line); });
}

int finish(const Result<std::string>& answer, const std::string& done) {
  if (!answer) return report(answer.error());
  std::puts(done.c_str());
  print_lists(*answer);
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
    print_lists(*answer);
  }
  return 0;
}

}  // namespace weft::local
