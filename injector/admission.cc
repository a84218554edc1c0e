#include "injector/admission.h"

#include "base/text.h"
#include "injector/admission_review.h"
#include "injector/eligibility.h"
#include "injector/json_access.h"

namespace weft::injector {
namespace {

struct PodMeta {
  std::string name;
  Labels labels;
};

Result<PodMeta> meta_of(std::string_view object) {
  WEFT_ASSIGN(const Json pod, parse_json(object, "request.object"));
  PodMeta meta;
  const Json* metadata = member(pod, "metadata");
  if (metadata == nullptr) return meta;
  constexpr std::string_view path = "request.object.metadata";
  WEFT_ASSIGN(meta.name, text_member(*metadata, path, "name"));
  if (meta.name.empty()) {
    WEFT_ASSIGN(meta.name, text_member(*metadata, path, "generateName"));
  }
  WEFT_ASSIGN(meta.labels, text_map_member(*metadata, path, "labels"));
  return meta;
}

Admission skip(Admission admission, std::string_view uid, std::string reason) {
  admission.reason = std::move(reason);
  admission.answer = allow_answer(uid, "", {});
  return admission;
}

Admission refuse(Admission admission, std::string_view uid, const Error& error) {
  admission.outcome = Admission::Outcome::refused;
  admission.reason = error.message;
  admission.answer = refuse_answer(uid, str_cat("weft cannot inject ", admission.pod, ": ", error.message));
  return admission;
}

}  // namespace

std::string_view outcome_name(Admission::Outcome outcome) {
  switch (outcome) {
    case Admission::Outcome::injected:
      return "injected";
    case Admission::Outcome::skipped:
      return "skipped";
    case Admission::Outcome::refused:
      return "refused";
  }
  return "";
}

Result<Admission> admit(std::string_view body, const InjectorConfig& config) {
  WEFT_ASSIGN(const AdmissionRequest request, parse_admission_review(body));
  Admission admission;
  admission.pod = str_cat(request.name_space, "/", request.name);
  if (!request.group.empty() || request.kind != "Pod" || request.operation != "CREATE") {
    return skip(std::move(admission), request.uid,
                str_cat("not the creation of a Pod: ", request.operation, " of a ", request.kind));
  }
  const auto meta = meta_of(request.object);
  if (!meta) return refuse(std::move(admission), request.uid, meta.error());
  if (request.name.empty()) admission.pod += meta->name;
  const auto excluded = excluded_in_webhook(request.name_space, meta->labels, config.control_plane_namespace);
  if (!excluded) return refuse(std::move(admission), request.uid, excluded.error());
  if (!excluded->empty()) return skip(std::move(admission), request.uid, *excluded);

  const auto patch = make_pod_patch(request.object, config);
  if (!patch) return refuse(std::move(admission), request.uid, patch.error());
  if (patch->operations.empty()) return skip(std::move(admission), request.uid, patch->reason);
  admission.outcome = Admission::Outcome::injected;
  admission.answer = allow_answer(request.uid, patch->operations, patch->warnings);
  return admission;
}

}  // namespace weft::injector
