// Whatever is posted to /inject gets a proper answer or an error; a patch applies to the pod it was made for,
// and what comes out is not injected again.
#include "injector/admission.h"
#include "injector/admission_review.h"
#include "injector/json_patch.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weft::injector;
  const std::string_view body = weft::fuzz::text(data, size);
  const auto admission = admit(body, {});
  const auto request = parse_admission_review(body);
  WEFT_CHECK(admission.has_value() == request.has_value());
  if (!admission) return 0;
  const auto patch = patch_of_answer(admission->answer, request->uid);
  WEFT_CHECK(patch.has_value() == (admission->outcome != Admission::Outcome::refused));
  if (!patch) return 0;
  WEFT_CHECK(patch->empty() == (admission->outcome == Admission::Outcome::skipped));
  if (patch->empty()) return 0;

  AdmissionRequest again = *request;
  const auto injected = apply_json_patch(request->object, *patch);
  WEFT_CHECK(injected.has_value());
  again.object = *injected;
  const auto review = make_admission_review(again);
  WEFT_CHECK(review.has_value());
  const auto second = admit(*review, {});
  WEFT_CHECK(second.has_value() && second->outcome == Admission::Outcome::skipped);
  return 0;
}
