#include "injector/admission_review.h"

#include "base/text.h"
#include "injector/json_access.h"

namespace weft::injector {
namespace {

constexpr std::string_view api_version = "admission.k8s.io/v1";
constexpr std::string_view kind_name = "AdmissionReview";
constexpr int refused_status = 403;

Status expect_text(const Json& root, std::string_view key, std::string_view expected) {
  WEFT_ASSIGN(const std::string found, needed_text_member(root, "", key));
  if (found == expected) return {};
  return fail(Code::invalid, str_cat(key, ": expected ", expected, ", found '", printable(found), "'"));
}

Result<Json> parse_review(std::string_view body) {
  if (body.size() > admission_review_bytes_max) {
    return fail(Code::limit, str_cat("AdmissionReview: longer than ", admission_review_bytes_max, " bytes"));
  }
  WEFT_ASSIGN(Json root, parse_json(body, "AdmissionReview"));
  if (!root.is_object()) return fail(Code::invalid, "AdmissionReview: expected an object");
  WEFT_TRY(expect_text(root, "kind", kind_name));
  WEFT_TRY(expect_text(root, "apiVersion", api_version));
  return root;
}

std::string answer(Json response) {
  return to_text(Json{{"apiVersion", api_version}, {"kind", kind_name}, {"response", std::move(response)}});
}

}  // namespace

Result<AdmissionRequest> parse_admission_review(std::string_view body) {
  WEFT_ASSIGN(const Json root, parse_review(body));
  WEFT_ASSIGN(const Json* const request, needed_object_member(root, "", "request"));
  constexpr std::string_view path = "request";
  AdmissionRequest out;
  WEFT_ASSIGN(out.uid, needed_text_member(*request, path, "uid"));
  WEFT_ASSIGN(const Json* const kind, needed_object_member(*request, path, "kind"));
  WEFT_ASSIGN(out.group, text_member(*kind, "request.kind", "group"));
  WEFT_ASSIGN(out.kind, needed_text_member(*kind, "request.kind", "kind"));
  WEFT_ASSIGN(out.operation, needed_text_member(*request, path, "operation"));
  WEFT_ASSIGN(out.name_space, text_member(*request, path, "namespace"));
  WEFT_ASSIGN(out.name, text_member(*request, path, "name"));
  if (out.operation == "DELETE") return out;  // asks about the old object only
  WEFT_ASSIGN(const Json* const object, needed_object_member(*request, path, "object"));
  out.object = to_text(*object);
  return out;
}

std::string allow_answer(std::string_view uid, std::string_view patch,
                         const std::vector<std::string>& warnings) {
  Json response = {{"uid", uid}, {"allowed", true}};
  if (!patch.empty()) {
    response["patchType"] = "JSONPatch";
    response["patch"] = base64_encode(patch);
  }
  if (!warnings.empty()) response["warnings"] = warnings;
  return answer(std::move(response));
}

std::string refuse_answer(std::string_view uid, std::string_view message) {
  return answer(Json{{"uid", uid},
                     {"allowed", false},
                     {"status", {{"code", refused_status}, {"message", message}, {"reason", "Forbidden"}}}});
}

Result<std::string> make_admission_review(const AdmissionRequest& request) {
  WEFT_ASSIGN(Json object, parse_json(request.object, "the object"));
  Json asked = {{"uid", request.uid},
                {"kind", {{"group", request.group}, {"version", "v1"}, {"kind", request.kind}}},
                {"operation", request.operation},
                {"namespace", request.name_space},
                {"name", request.name},
                {"object", std::move(object)}};
  return to_text(Json{{"apiVersion", api_version}, {"kind", kind_name}, {"request", std::move(asked)}});
}

Result<std::string> patch_of_answer(std::string_view body, std::string_view uid) {
  WEFT_ASSIGN(const Json root, parse_review(body));
  WEFT_ASSIGN(const Json* const response, needed_object_member(root, "", "response"));
  WEFT_ASSIGN(const std::string answered_uid, needed_text_member(*response, "response", "uid"));
  if (answered_uid != uid) return fail(Code::invalid, "response.uid: of another request");
  const Json* allowed = member(*response, "allowed");
  if (allowed == nullptr || !allowed->is_boolean()) {
    return fail(Code::invalid, "response.allowed: expected true or false");
  }
  if (!allowed->get<bool>()) {
    const Json* message = member_at(*response, {"status", "message"});
    const bool told = message != nullptr && message->is_string();
    return fail(Code::refused, told ? message->get<std::string>() : "refused without a reason");
  }
  WEFT_ASSIGN(const std::string encoded, text_member(*response, "response", "patch"));
  return base64_decode(encoded);
}

}  // namespace weft::injector
