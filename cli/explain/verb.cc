#include "cli/explain/verb.h"

#include <cstdio>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/explain/explain.h"
#include "cli/explain/stand_in.h"
#include "cli/local/verb_support.h"
#include "discovery/wrong_view.h"
#include "kube/manifests.h"

namespace weft::cli {
namespace {

using nlohmann::json;

Result<World> from_manifests(const std::vector<std::string>& names) {
  WEFT_ASSIGN(const std::vector<local::ManifestFile> files, local::read_manifest_files(names));
  std::vector<kube::Object> objects;
  for (const local::ManifestFile& file : files) {
    kube::Manifests manifests = kube::parse_manifests(file.text, file.name);
    if (!manifests.errors.empty()) return fail(manifests.errors.front());
    for (kube::Object& object : manifests.objects) objects.push_back(std::move(object));
  }
  AsApplied applied = as_applied(objects);
  World world = make_world(applied.objects);
  world.notes = std::move(applied.notes);
  world.notes.emplace_back("out of manifests: as if every pod of them were ready; addresses are made up");
  return world;
}

Result<json> ask(const std::string& mesh, local::ControlRequest request) {
  const std::string name_space = request.name_space;
  WEFT_ASSIGN(const std::string answer, local::ask({mesh, name_space}, std::move(request)));
  return json::parse(answer, nullptr, false);
}

Result<std::string> admin_page(const std::string& mesh, const std::string& name_space, const std::string& pod,
                               const std::string& path) {
  local::ControlRequest request;
  request.verb = "admin";
  request.name_space = name_space;
  request.name = pod;
  request.path = path;
  WEFT_ASSIGN(const json answer, ask(mesh, std::move(request)));
  const auto body = answer.find("body");
  if (body == answer.end() || !body->is_string())
    return fail(Code::internal, "the mesh's answer has no body");
  return *body->get_ptr<const std::string*>();
}

// What discovery reads, and what it holds where that is wrong.
Result<World> from_mesh(const std::string& mesh) {
  local::ControlRequest request;
  request.verb = "objects";
  WEFT_ASSIGN(const json answer, ask(mesh, std::move(request)));
  std::vector<kube::Object> objects;
  for (const json& text : answer.value("objects", json::array())) {
    if (!text.is_string()) continue;
    if (Result<kube::Object> object = kube::parse_object(*text.get_ptr<const std::string*>()))
      objects.push_back(*std::move(object));
  }
  std::vector<discovery::PolicyObjects::Wrong> wrong;
  const Result<std::string> page =
      admin_page(mesh, "weft-system", "deployment/weft-discovery", "/annotations");
  if (page) {
    WEFT_ASSIGN(wrong, discovery::parse_wrong_view(*page));
  }
  World world = make_world(objects, wrong);
  if (!page)
    world.notes.push_back(
        str_cat("discovery does not say which earlier values it holds for wrong annotations: ",
                page.error().message));
  return world;
}

// Endpoints that the caller's own sidecar leaves out at the moment.
void add_ejections(const std::string& mesh, const Question& question, World& world) {
  for (const kube::Pod& pod : world.pods) {
    if (pod.meta.name_space != question.from_namespace || !kube::has_sidecar(pod) || !pod.ready ||
        pod.spec.service_account_name != question.from_account)
      continue;
    const Result<std::string> page = admin_page(mesh, pod.meta.name_space, pod.meta.name, "/endpoints");
    const json services = page ? json::parse(*page, nullptr, false) : json();
    if (!services.is_object()) return;
    for (const json& endpoints : services) {
      for (const json& endpoint : endpoints) {
        if (!endpoint.is_object() || !endpoint.value("ejected", false)) continue;
        const auto address = Address::parse(endpoint.value("address", std::string()));
        if (address) world.ejected.insert(*address);
      }
    }
    return;
  }
}

}  // namespace

int explain(const ExplainOptions& options) {
  const Result<Question> question =
      make_question(options.from, options.to, options.method, options.path, options.headers);
  if (!question) return local::report(question.error());
  Result<World> world = options.files.empty() ? from_mesh(options.mesh) : from_manifests(options.files);
  if (!world) return local::report(world.error());
  if (options.files.empty()) add_ejections(options.mesh, *question, *world);
  const Result<Explanation> answer = explain(*world, *question);
  if (!answer) return local::report(answer.error());
  std::fputs((options.output == "json" ? to_json(*answer) : to_text(*answer)).c_str(), stdout);
  return 0;
}

}  // namespace weft::cli
