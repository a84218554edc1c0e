#include "injector/admission_review.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace weft::injector {
namespace {

struct Broken {
  std::string name;
  std::string body;
  std::string message;
};

std::string review(std::string_view request) {
  return str_cat(R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":)", request, "}");
}

const std::vector<Broken> broken_reviews = {
    {"Empty", "", "AdmissionReview: not JSON, or cut short"},
    {"CutShort", R"({"apiVersion":"admission)", "AdmissionReview: not JSON, or cut short"},
    {"TrailingGarbage", review("{}") + "x", "AdmissionReview: not JSON, or cut short"},
    {"NotAnObject", "[]", "AdmissionReview: expected an object"},
    {"NoKind", R"({"apiVersion":"admission.k8s.io/v1"})", "kind: missing"},
    {"AnotherKind", R"({"apiVersion":"admission.k8s.io/v1","kind":"Pod"})",
     "kind: expected AdmissionReview, found 'Pod'"},
    {"KindOfAnotherType", R"({"kind":{}})", "kind: expected a string, found an object"},
    {"AnotherVersion", R"({"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"})",
     "apiVersion: expected admission.k8s.io/v1, found 'admission.k8s.io/v1beta1'"},
    {"NoRequest", R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"})", "request: missing"},
    {"RequestOfAnotherType", review("[]"), "request: expected an object, found a list"},
    {"NoUid", review("{}"), "request.uid: missing"},
    {"UidOfAnotherType", review(R"({"uid":7})"), "request.uid: expected a string, found a number"},
    {"NoRequestKind", review(R"({"uid":"u"})"), "request.kind: missing"},
    {"RequestKindOfAnotherType", review(R"({"uid":"u","kind":"Pod"})"),
     "request.kind: expected an object, found a string"},
    {"NoOperation", review(R"({"uid":"u","kind":{"kind":"Pod"}})"), "request.operation: missing"},
    {"NoObject", review(R"({"uid":"u","kind":{"kind":"Pod"},"operation":"CREATE","object":null})"),
     "request.object: missing"},
    {"ObjectOfAnotherType", review(R"({"uid":"u","kind":{"kind":"Pod"},"operation":"CREATE","object":true})"),
     "request.object: expected an object, found true or false"},
    {"TooDeep", review(std::string(100, '[') + std::string(100, ']')),
     "AdmissionReview: nested deeper than 64 levels"},
    {"TooLong", review("\"" + std::string(admission_review_bytes_max, 'x') + "\""),
     "AdmissionReview: longer than 4194304 bytes"},
};

class BrokenReview : public testing::TestWithParam<Broken> {};

TEST_P(BrokenReview, IsRefusedWithThePlaceOfTheFault) {
  const auto parsed = parse_admission_review(GetParam().body);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(AdmissionReview, BrokenReview, testing::ValuesIn(broken_reviews),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(AdmissionReview, NestingInsideTextDoesNotCount) {
  const auto parsed = parse_admission_review(review(str_cat(
      R"({"uid":"\"u)", std::string(100, '{'), R"(\\","kind":{"kind":"Pod"},"operation":"DELETE"})")));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->uid, str_cat("\"u", std::string(100, '{'), "\\"));
}

TEST(AdmissionReview, QuestionIsReadBackAsItWasAsked) {
  AdmissionRequest asked;
  asked.uid = "u-1";
  asked.kind = "Pod";
  asked.operation = "CREATE";
  asked.name_space = "default";
  asked.name = "hello";
  asked.object = R"({"spec":{}})";
  const auto body = make_admission_review(asked);
  ASSERT_TRUE(body);
  const auto read = parse_admission_review(*body);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->uid, asked.uid);
  EXPECT_EQ(read->group, "");
  EXPECT_EQ(read->kind, asked.kind);
  EXPECT_EQ(read->operation, asked.operation);
  EXPECT_EQ(read->name_space, asked.name_space);
  EXPECT_EQ(read->name, asked.name);
  EXPECT_EQ(read->object, asked.object);
}

TEST(AdmissionReview, AnswersCarryTheUidAndAnEncodedPatch) {
  EXPECT_EQ(allow_answer("u", "[]", {"careful"}),
            R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"allowed":true,)"
            R"("patch":"W10=","patchType":"JSONPatch","uid":"u","warnings":["careful"]}})");
  EXPECT_EQ(
      allow_answer("u", "", {}),
      R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"allowed":true,"uid":"u"}})");
  EXPECT_EQ(patch_of_answer(allow_answer("u", "[1]", {}), "u"), std::string("[1]"));
  EXPECT_EQ(patch_of_answer(allow_answer("u", "", {}), "u"), std::string());
}

TEST(AdmissionReview, RefusalReachesTheUserInItsOwnWords) {
  const auto refused = patch_of_answer(refuse_answer("u", "no, because"), "u");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::refused);
  EXPECT_EQ(refused.error().message, "no, because");
}

TEST(AdmissionReview, AnswerToAnotherQuestionIsNotBelieved) {
  const auto other = patch_of_answer(allow_answer("u", "", {}), "v");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message, "response.uid: of another request");
}

}  // namespace
}  // namespace weft::injector
