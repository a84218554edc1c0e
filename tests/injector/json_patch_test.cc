#include "injector/json_patch.h"

#include <gtest/gtest.h>

namespace weft::injector {
namespace {

struct Case {
  std::string name;
  std::string document;
  std::string patch;
  std::string result;  // or, with a leading '!', the error message
};

// The examples of RFC 6902 appendix A, and what else a patch can be.
const std::vector<Case> cases = {
    {"A1AddsAMember", R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux"}])",
     R"({"baz":"qux","foo":"bar"})"},
    {"A2AddsAnElement", R"({"foo":["bar","baz"]})", R"([{"op":"add","path":"/foo/1","value":"qux"}])",
     R"({"foo":["bar","qux","baz"]})"},
    {"A3RemovesAMember", R"({"baz":"qux","foo":"bar"})", R"([{"op":"remove","path":"/baz"}])",
     R"({"foo":"bar"})"},
    {"A4RemovesAnElement", R"({"foo":["bar","qux","baz"]})", R"([{"op":"remove","path":"/foo/1"}])",
     R"({"foo":["bar","baz"]})"},
    {"A5ReplacesAValue", R"({"baz":"qux","foo":"bar"})", R"([{"op":"replace","path":"/baz","value":"boo"}])",
     R"({"baz":"boo","foo":"bar"})"},
    {"A6MovesAValue", R"({"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}})",
     R"([{"op":"move","from":"/foo/waldo","path":"/qux/thud"}])",
     R"({"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}})"},
    {"A7MovesAnElement", R"({"foo":["all","grass","cows","eat"]})",
     R"([{"op":"move","from":"/foo/1","path":"/foo/3"}])", R"({"foo":["all","cows","eat","grass"]})"},
    {"A8TestsAValue", R"({"baz":"qux","foo":["a",2,"c"]})",
     R"([{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}])",
     R"({"baz":"qux","foo":["a",2,"c"]})"},
    {"A9TestFails", R"({"baz":"qux"})", R"([{"op":"test","path":"/baz","value":"bar"}])",
     "!operation 1 (test /baz): the test failed: another value is there"},
    {"A10AddsAnObject", R"({"foo":"bar"})", R"([{"op":"add","path":"/child","value":{"grandchild":{}}}])",
     R"({"child":{"grandchild":{}},"foo":"bar"})"},
    {"A11IgnoresUnknownMembers", R"({"foo":"bar"})",
     R"([{"op":"add","path":"/baz","value":"qux","xyz":123}])", R"({"baz":"qux","foo":"bar"})"},
    {"A12AddsToNoTarget", R"({"foo":"bar"})", R"([{"op":"add","path":"/baz/bat","value":"qux"}])",
     "!operation 1 (add /baz/bat): no such member: 'baz'"},
    {"A14EscapesInOrder", R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":10}])",
     R"({"/":9,"~1":10})"},
    {"A15TextIsNoNumber", R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":"10"}])",
     "!operation 1 (test /~01): the test failed: another value is there"},
    {"A16AppendsAList", R"({"foo":["bar"]})", R"([{"op":"add","path":"/foo/-","value":["abc","def"]}])",
     R"({"foo":["bar",["abc","def"]]})"},
    {"CopiesAValue", R"({"a":{"b":1}})", R"([{"op":"copy","from":"/a","path":"/c"}])",
     R"({"a":{"b":1},"c":{"b":1}})"},
    {"ReplacesTheWholeDocument", R"({"a":1})", R"([{"op":"replace","path":"","value":[1]}])", R"([1])"},
    {"AddsANull", R"({})", R"([{"op":"add","path":"/a","value":null}])", R"({"a":null})"},
    {"EmptyPatchChangesNothing", R"({"a":1})", "", R"({"a":1})"},
    {"AppendsWithTheIndexOfTheEnd", R"([1])", R"([{"op":"add","path":"/1","value":2}])", R"([1,2])"},
    {"RefusesAnIndexPastTheEnd", R"([1])", R"([{"op":"add","path":"/2","value":2}])",
     "!operation 1 (add /2): no such place in the list: '2'"},
    {"RefusesLeadingZeros", R"([1,2])", R"([{"op":"remove","path":"/01"}])",
     "!operation 1 (remove /01): no such member: '01'"},
    {"RefusesToMoveAValueIntoItself", R"({"a":{}})", R"([{"op":"move","from":"/a","path":"/a/b"}])",
     "!operation 1 (move /a/b): a value cannot be moved into itself"},
    {"RefusesToReplaceWhatIsNotThere", R"({})", R"([{"op":"replace","path":"/a","value":1}])",
     "!operation 1 (replace /a): no such member: 'a'"},
    {"RefusesToRemoveTheDocument", R"({})", R"([{"op":"remove","path":""}])",
     "!operation 1 (remove ): the whole document cannot be removed"},
    {"RefusesAnUnknownOperation", R"({})",
     R"([{"op":"add","path":"/a","value":1},{"op":"spam","path":"/a"}])",
     "!operation 2 (spam /a): no such operation"},
    {"RefusesAMissingValue", R"({})", R"([{"op":"add","path":"/a"}])",
     "!operation 1 (add /a): value: missing"},
    {"RefusesAMissingPath", R"({})", R"([{"op":"add","value":1}])", "!operation 1.path: missing"},
    {"RefusesABrokenEscape", R"({})", R"([{"op":"add","path":"/~2","value":1}])",
     "!operation 1 (add /~2): '~' in a pointer is followed by 0 or 1"},
    {"RefusesAPointerWithoutASlash", R"({})", R"([{"op":"add","path":"a","value":1}])",
     "!operation 1 (add a): a pointer begins with '/'"},
    {"RefusesAPatchThatIsNoList", R"({})", R"({"op":"add"})", "!the patch: expected a list of operations"},
    {"RefusesAnOperationThatIsNoObject", R"({})", R"([1])", "!operation 1.op: missing"},
};

class JsonPatch : public testing::TestWithParam<Case> {};

TEST_P(JsonPatch, Applies) {
  const auto applied = apply_json_patch(GetParam().document, GetParam().patch);
  EXPECT_EQ(applied ? *applied : "!" + applied.error().message, GetParam().result);
}

INSTANTIATE_TEST_SUITE_P(Rfc6902, JsonPatch, testing::ValuesIn(cases),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(JsonPatchPointer, KeysAreEscaped) {
  EXPECT_EQ(pointer_escape("weft.mesh/status"), "weft.mesh~1status");
  EXPECT_EQ(pointer_escape("~a/~1"), "~0a~1~01");
}

}  // namespace
}  // namespace weft::injector
