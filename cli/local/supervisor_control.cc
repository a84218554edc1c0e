// The verbs, on the mesh's side.
#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/local/admin_query.h"
#include "cli/local/annotation_warnings.h"
#include "cli/local/control_plane.h"
#include "cli/local/supervisor.h"
#include "kube/manifests.h"

namespace weft::local {
namespace {

using nlohmann::json;

std::string dump(const json& answer) { return answer.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string done(const Status& status) {
  return status ? dump({{"ok", true}}) : control_error(status.error());
}

json pod_row(const Pod& pod) {
  json row = {
      {"namespace", pod.origin().name_space}, {"name", pod.object().meta.name},
      {"uid", pod.object().meta.uid},         {"address", nullptr},
      {"addresses", json::array()},           {"service_account", pod.object().spec.service_account_name},
      {"phase", phase_name(pod.phase())},     {"ready", pod.ready()},
      {"injected", pod.injected()},           {"restarts", pod.restarts()},
      {"containers", pod.container_names()},  {"spiffe_id", nullptr},
      {"certificate_expires", nullptr}};
  if (pod.has_address()) {
    row["address"] = pod.addresses().front().to_string();
    for (const IpAddress& address : pod.addresses()) row["addresses"].push_back(address.to_string());
  }
  if (!pod.origin().deployment.empty()) row["deployment"] = pod.origin().deployment;
  if (!pod.ready()) row["waiting_for"] = pod.waiting_for();
  return row;
}

// The rows of `status`, while the sidecars are being asked.
struct Gathering {
  json rows = json::array();
  std::size_t open = 1;
  ControlServer::Respond respond;

  void one_less() {
    if (--open == 0) respond(dump({{"ok", true}, {"pods", std::move(rows)}}));
  }
};

Result<std::vector<AnnotationChange>> parse_changes(const std::vector<std::string>& texts) {
  std::vector<AnnotationChange> changes;
  for (const std::string& text : texts) {
    WEFT_ASSIGN(AnnotationChange change, parse_annotation_change(text));
    changes.push_back(std::move(change));
  }
  if (changes.empty()) return fail(Code::invalid, "nothing to change: expected KEY=VALUE or KEY-");
  return changes;
}

}  // namespace

Result<Pod*> Supervisor::find_pod(const std::string& name_space, const std::string& name) const {
  const Result<ObjectRef> ref = parse_object_ref(name);
  const bool by_deployment = ref && ref->kind == "Deployment";
  const std::string& wanted = ref ? ref->name : name;
  Pod* best = nullptr;
  for (const auto& pod : pods_) {
    if (pod->origin().name_space != name_space || pod->phase() == Pod::Phase::gone) continue;
    const std::string& own = by_deployment ? pod->origin().deployment : pod->object().meta.name;
    if (own != wanted) continue;
    // Of a Deployment's pods, one that serves.
    if (best == nullptr || (pod->ready() && !best->ready())) best = pod.get();
  }
  if (best != nullptr) return best;
  return fail(Code::not_found,
              str_cat("no pod ", name_space, "/", printable(name),
                      "; `weft local status` lists them, deployment/NAME names one of a Deployment"));
}

void Supervisor::handle(const std::string& line, ControlServer::Respond respond) {
  using Verb = void (Supervisor::*)(const ControlRequest&, ControlServer::Respond);
  static constexpr std::array<std::pair<std::string_view, Verb>, 9> verbs{{
      {"status", &Supervisor::answer_status},
      {"container", &Supervisor::answer_container},
      {"annotate", &Supervisor::answer_annotate},
      {"scale", &Supervisor::answer_scale},
      {"delete-pod", &Supervisor::answer_delete_pod},
      {"apply", &Supervisor::answer_apply},
      {"admin", &Supervisor::answer_admin},
      {"objects", &Supervisor::answer_objects},
      {"down", &Supervisor::answer_down},
  }};
  const Result<ControlRequest> request = parse_control_request(line);
  if (!request) return respond(control_error(request.error()));
  for (const auto& [name, verb] : verbs) {
    if (name == request->verb) return (this->*verb)(*request, std::move(respond));
  }
  respond(control_error({Code::invalid, str_cat("unknown verb ", printable(request->verb))}));
}

// Whoever reads "ready" may call that pod at once: the answer waits for the rules that lead there.
void Supervisor::answer_status(const ControlRequest&, ControlServer::Respond respond) {
  if (publisher_->in_force()) return gather_status(std::move(respond));
  waiting_for_rules_.push_back(std::move(respond));
}

void Supervisor::gather_status(ControlServer::Respond respond) {
  auto gathering = std::make_shared<Gathering>();
  gathering->respond = std::move(respond);
  for (const auto& pod : pods_) {
    gathering->rows.push_back(pod_row(*pod));
    if (!pod->injected() || !pod->has_address()) continue;
    ++gathering->open;
    jobs_.run([network = pod->duplicate_network()] { return ask_certificate(network.get()); },
              [gathering, at = gathering->rows.size() - 1](const Result<CertificateInfo>& info) {
                if (info) {
                  gathering->rows[at]["spiffe_id"] = info->spiffe_id;
                  gathering->rows[at]["certificate_expires"] = info->not_after;
                }
                gathering->one_less();
              });
  }
  gathering->one_less();
}

void Supervisor::answer_container(const ControlRequest& request, ControlServer::Respond respond) {
  const Result<Pod*> pod = find_pod(request.name_space, request.name);
  if (!pod) return respond(control_error(pod.error()));
  const ContainerRunner* const runner = (*pod)->find(request.container);
  if (runner == nullptr) {
    return respond(
        control_error({Code::not_found, str_cat("pod ", (*pod)->object().meta.name, " has no container ",
                                                printable(request.container), " yet; it has ",
                                                join((*pod)->container_names(), ", "))}));
  }
  respond(dump({{"ok", true},
                {"pid", runner->pid()},
                {"pod", (*pod)->object().meta.name},
                {"container", runner->container().name},
                {"log", runner->log_path()},
                {"spec", json::parse(to_json(runner->spec()), nullptr, false)}}));
}

void Supervisor::answer_annotate(const ControlRequest& request, ControlServer::Respond respond) {
  const Result<ObjectRef> ref = parse_object_ref(request.name);
  if (!ref) return respond(control_error(ref.error()));
  const Result<std::vector<AnnotationChange>> changes = parse_changes(request.changes);
  if (!changes) return respond(control_error(changes.error()));
  schedule_reconcile();
  const Result<kube::Object> changed = annotate(*ref, request.name_space, *changes);
  if (!changed) return respond(control_error(changed.error()));
  respond(dump({{"ok", true}, {"warnings", annotation_warnings(*changed)}}));
}

Result<kube::Object> Supervisor::annotate(const ObjectRef& ref, const std::string& name_space,
                                          const std::vector<AnnotationChange>& changes) {
  if (ref.kind != "Pod") return cluster_.annotate(ref, name_space, changes);
  WEFT_ASSIGN(Pod* const pod, find_pod(name_space, ref.name));
  WEFT_TRY(pod->annotate(changes));
  return kube::Object(pod->object());
}

void Supervisor::answer_scale(const ControlRequest& request, ControlServer::Respond respond) {
  const Result<ObjectRef> ref = parse_object_ref(request.name);
  if (!ref || ref->kind != "Deployment" || !request.replicas) {
    return respond(control_error({Code::invalid, "expected deployment/NAME and a number of replicas"}));
  }
  schedule_reconcile();
  respond(done(cluster_.scale(request.name_space, ref->name, *request.replicas)));
}

void Supervisor::answer_delete_pod(const ControlRequest& request, ControlServer::Respond respond) {
  const Result<Pod*> pod = find_pod(request.name_space, request.name);
  if (!pod) return respond(control_error(pod.error()));
  waiting_for_gone_.emplace_back((*pod)->object().meta.uid, std::move(respond));
  std::optional<std::chrono::seconds> grace;
  if (request.grace) grace = std::chrono::seconds(*request.grace);
  (*pod)->terminate(grace);
}

void Supervisor::answer_apply(const ControlRequest& request, ControlServer::Respond respond) {
  const kube::Manifests manifests = kube::parse_manifests(request.text, request.file, request.name_space);
  if (!manifests.errors.empty()) return respond(control_error(manifests.errors.front()));
  // All or nothing, as far as can be known beforehand.
  for (const kube::Object& object : manifests.objects) {
    if (const Status good = check(object); !good) return respond(control_error(good.error()));
  }
  json applied = json::array(), warnings = json::array();
  for (const kube::Object& object : manifests.objects) {
    const Result<std::string> what = apply(object);
    if (!what) return respond(control_error(what.error()));
    applied.push_back(*what);
    for (std::string& warning : annotation_warnings(object)) warnings.push_back(std::move(warning));
  }
  respond(dump({{"ok", true},
                {"done", std::move(applied)},
                {"skipped", manifests.skipped},
                {"warnings", std::move(warnings)}}));
}

// A page of the admin port of a sidecar, or of discovery.
void Supervisor::answer_admin(const ControlRequest& request, ControlServer::Respond respond) {
  const Result<Pod*> pod = find_pod(request.name_space, request.name);
  if (!pod) return respond(control_error(pod.error()));
  const std::string name = str_cat(request.name_space, "/", (*pod)->object().meta.name);
  if (!(*pod)->has_address() ||
      (!(*pod)->injected() && (*pod)->origin().name_space != control_plane_namespace)) {
    return respond(control_error(
        {Code::not_found,
         str_cat("pod ", name, (*pod)->has_address() ? " has no sidecar" : " has no address yet")}));
  }
  jobs_.run(
      [network = (*pod)->duplicate_network(), path = request.path] { return ask_admin(network.get(), path); },
      [name, respond = std::move(respond)](const Result<std::string>& body) mutable {
        if (!body) return respond(control_error(body.error().in(str_cat("pod ", name))));
        respond(dump({{"ok", true}, {"pod", name}, {"body", *body}}));
      });
}

// What discovery reads: the same files.
void Supervisor::answer_objects(const ControlRequest&, ControlServer::Respond respond) {
  const Result<std::vector<std::string>> objects = cluster_.written_objects();
  if (!objects) return respond(control_error(objects.error()));
  respond(dump({{"ok", true}, {"objects", *objects}}));
}

void Supervisor::answer_down(const ControlRequest&, ControlServer::Respond respond) {
  respond(done({}));
  // The answer leaves at the end of this turn.
  stop_timer_->start(std::chrono::milliseconds(1));
}

}  // namespace weft::local
