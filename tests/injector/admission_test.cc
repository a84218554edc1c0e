#include "injector/admission.h"

#include <gtest/gtest.h>

#include "injector/admission_review.h"
#include "injector/json_patch.h"

namespace weft::injector {
namespace {

AdmissionRequest creation(std::string object) {
  AdmissionRequest request;
  request.uid = "u";
  request.kind = "Pod";
  request.operation = "CREATE";
  request.name_space = "default";
  request.object = std::move(object);
  return request;
}

Admission admit_or_fail(const AdmissionRequest& request) {
  const auto admission = admit(*make_admission_review(request), {});
  EXPECT_TRUE(admission) << admission.error().message;
  return admission ? *admission : Admission{};
}

constexpr auto pod = R"({"metadata":{"generateName":"hello-"},"spec":{"containers":[{"name":"hello"}]}})";

TEST(Admission, PodIsInjectedAndTheAnswersPatchApplies) {
  const Admission admission = admit_or_fail(creation(pod));
  EXPECT_EQ(admission.outcome, Admission::Outcome::injected);
  EXPECT_EQ(admission.pod, "default/hello-");
  const auto patch = patch_of_answer(admission.answer, "u");
  ASSERT_TRUE(patch) << patch.error().message;
  const auto applied = apply_json_patch(pod, *patch);
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_NE(applied->find("weft-sidecar"), std::string::npos);

  const Admission again = admit_or_fail(creation(*applied));
  EXPECT_EQ(again.outcome, Admission::Outcome::skipped);
  EXPECT_EQ(patch_of_answer(again.answer, "u"), std::string());
}

TEST(Admission, WhatIsNotTheCreationOfAPodIsLetThroughUnchanged) {
  AdmissionRequest update = creation(pod);
  update.operation = "UPDATE";
  AdmissionRequest service = creation(R"({"spec":{}})");
  service.kind = "Service";
  AdmissionRequest foreign = creation(pod);
  foreign.group = "example.org";
  AdmissionRequest deletion = creation(pod);
  deletion.operation = "DELETE";
  for (const AdmissionRequest& request : {update, service, foreign, deletion}) {
    const Admission admission = admit_or_fail(request);
    EXPECT_EQ(admission.outcome, Admission::Outcome::skipped)
        << request.operation << " of a " << request.kind;
    EXPECT_EQ(patch_of_answer(admission.answer, "u"), std::string());
  }
}

TEST(Admission, ExemptNamespacesAndPodsThatWantNoneAreLeftAlone) {
  AdmissionRequest system = creation(pod);
  system.name_space = "kube-system";
  EXPECT_EQ(admit_or_fail(system).outcome, Admission::Outcome::skipped);
  const auto unwanted = creation(
      R"({"metadata":{"labels":{"weft.mesh/inject":"false"}},"spec":{"hostNetwork":true,"containers":[{"name":"a"}]}})");
  EXPECT_EQ(admit_or_fail(unwanted).outcome, Admission::Outcome::skipped);
}

TEST(Admission, RefusalNamesPodAndReason) {
  auto request =
      creation(R"({"metadata":{"name":"a"},"spec":{"hostNetwork":true,"containers":[{"name":"a"}]}})");
  request.name = "a";
  const Admission admission = admit_or_fail(request);
  EXPECT_EQ(admission.outcome, Admission::Outcome::refused);
  const auto refused = patch_of_answer(admission.answer, "u");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("weft cannot inject default/a: hostNetwork pods cannot take part"),
            0u)
      << refused.error().message;
}

TEST(Admission, BrokenPodIsRefusedAndNotAFault) {
  const Admission admission = admit_or_fail(creation(R"({"metadata":{"labels":{"a":1}}})"));
  EXPECT_EQ(admission.outcome, Admission::Outcome::refused);
  EXPECT_EQ(admission.reason, "request.object.metadata.labels.a: expected a string, found a number");
}

TEST(Admission, WhatIsNoReviewCannotBeAnswered) { EXPECT_FALSE(admit("{}", {})); }

}  // namespace
}  // namespace weft::injector
