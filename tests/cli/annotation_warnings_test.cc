// What `weft local` says of annotations that mean nothing, before anybody wonders why nothing happens.
#include "cli/local/annotation_warnings.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace weft::local {
namespace {

std::vector<std::string> warnings_of(const std::string& json) {
  const auto object = kube::parse_object(json);
  EXPECT_TRUE(object) << object.error().message;
  return object ? annotation_warnings(*object) : std::vector<std::string>();
}

std::string deployment(const std::string& own, const std::string& of_pods) {
  return str_cat(
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web")", own,
      R"(},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"})", of_pods,
      R"(},"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
}

TEST(AnnotationWarnings, NameObjectKeyColumnAndWhatWasExpected) {
  EXPECT_EQ(warnings_of(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"world","annotations":{
                            "weft.mesh/timeout":"10x","weft.mesh/timout":"10s","weft.mesh/retry-attempts":"2"}},
                            "spec":{"ports":[{"port":80}]}})"),
            (std::vector<std::string>{
                "Service default/world: not in force: weft.mesh/timeout: column 3: expected a duration like "
                "500ms, 10s, 5m or 1h, found '10x'",
                "Service default/world: not in force: weft.mesh/timout: unknown annotation, did you mean "
                "weft.mesh/timeout?"}));
}

TEST(AnnotationWarnings, AnswerForTheLabelThatAsksForInjection) {
  const auto wrong = warnings_of(
      R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x","labels":{"weft.mesh/inject":"true"}}})");
  ASSERT_EQ(wrong.size(), 1u);
  EXPECT_NE(wrong.front().find("Namespace x: not in force: weft.mesh/inject: "), std::string::npos)
      << wrong.front();
  EXPECT_TRUE(
      warnings_of(
          R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x","labels":{"weft.mesh/inject":"enabled"}}})")
          .empty());
}

TEST(AnnotationWarnings, OfADeploymentAreThoseOfItsPodTemplate) {
  const auto wrong = warnings_of(deployment("", R"(,"annotations":{"weft.mesh/access-log":"loud"})"));
  ASSERT_EQ(wrong.size(), 1u);
  EXPECT_NE(wrong.front().find("Deployment default/web: not in force: weft.mesh/access-log: column 1: "),
            std::string::npos)
      << wrong.front();
  EXPECT_TRUE(warnings_of(deployment("", R"(,"annotations":{"weft.mesh/access-log":"all"})")).empty());
}

TEST(AnnotationWarnings, SayWhereAnAnnotationOfADeploymentBelongs) {
  EXPECT_EQ(warnings_of(deployment(R"(,"annotations":{"weft.mesh/mtls":"strict","other":"x"})", "")),
            (std::vector<std::string>{"Deployment default/web: not in force: weft.mesh/mtls: has no meaning "
                                      "on a Deployment: it belongs on the pod template"}));
}

TEST(AnnotationWarnings, ObjectsWithoutAnnotationsOfOursHaveNone) {
  EXPECT_TRUE(
      warnings_of(
          R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m","annotations":{"weft.mesh/x":"y"}}})")
          .empty());
}

}  // namespace
}  // namespace weft::local
