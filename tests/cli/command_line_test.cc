#include "cli/local/command_line.h"

#include <gtest/gtest.h>

namespace weft::local {
namespace {

using Words = std::vector<std::string>;

TEST(SplitCommand, SplitsAsAShellDoesWithoutExpanding) {
  EXPECT_EQ(*split_command("  a  b\tc\n"), (Words{"a", "b", "c"}));
  EXPECT_EQ(*split_command("sh -c 'echo \"$X\" *'"), (Words{"sh", "-c", "echo \"$X\" *"}));
  EXPECT_EQ(*split_command("a\\ b \"c d\"e ''"), (Words{"a b", "c de", ""}));
  EXPECT_EQ(*split_command("\"a\\\"b\" 'c\\d'"), (Words{"a\"b", "c\\d"}));
  EXPECT_EQ(*split_command(""), Words{});
}

TEST(SplitCommand, RefusesWhatIsNotClosed) {
  EXPECT_FALSE(split_command("'a"));
  EXPECT_FALSE(split_command("a \"b"));
  EXPECT_FALSE(split_command("a\\"));
}

TEST(ImageMap, FindsAnImageByItsMostExactName) {
  ImageMap images;
  ASSERT_TRUE(images.add("web=/usr/bin/web -p 80"));
  ASSERT_TRUE(images.add("web:2=/usr/bin/web2"));
  EXPECT_EQ(*images.find("web"), (Words{"/usr/bin/web", "-p", "80"}));
  EXPECT_EQ(*images.find("web:1.2"), (Words{"/usr/bin/web", "-p", "80"}));
  EXPECT_EQ(*images.find("web:2"), Words{"/usr/bin/web2"});
  EXPECT_EQ(*images.find("registry:5000/team/web:2"), Words{"/usr/bin/web2"});
  EXPECT_EQ(*images.find("registry:5000/team/web@sha256:0123"), (Words{"/usr/bin/web", "-p", "80"}));
  EXPECT_EQ(images.find("registry:5000/team/website"), nullptr);
}

TEST(ImageMap, RefusesAnArgumentWithoutNameOrCommand) {
  ImageMap images;
  for (const char* wrong : {"web", "=x", ""}) {
    const Status added = images.add(wrong);
    ASSERT_FALSE(added) << wrong;
    EXPECT_NE(added.error().message.find("NAME=COMMAND"), std::string::npos);
  }
}

TEST(ObjectRef, KnowsTheUsualNamesOfKinds) {
  EXPECT_EQ(*parse_object_ref("service/hello"), (ObjectRef{"Service", "hello"}));
  EXPECT_EQ(*parse_object_ref("SVC/hello"), (ObjectRef{"Service", "hello"}));
  EXPECT_EQ(*parse_object_ref("deploy/a"), (ObjectRef{"Deployment", "a"}));
  EXPECT_EQ(*parse_object_ref("ns/a"), (ObjectRef{"Namespace", "a"}));
  for (const char* wrong : {"hello", "service/", "/x", "ingress/x"})
    EXPECT_FALSE(parse_object_ref(wrong)) << wrong;
}

TEST(AnnotationChange, SetsOrRemoves) {
  EXPECT_EQ(*parse_annotation_change("a=b=c-"), (AnnotationChange{"a", "b=c-"}));
  EXPECT_EQ(*parse_annotation_change("a="), (AnnotationChange{"a", ""}));
  EXPECT_EQ(*parse_annotation_change("a-"), (AnnotationChange{"a", std::nullopt}));
  for (const char* wrong : {"a", "=b", "-", ""}) EXPECT_FALSE(parse_annotation_change(wrong)) << wrong;
}

TEST(MeshName, CannotLeaveItsFolder) {
  EXPECT_TRUE(check_mesh_name("default"));
  EXPECT_TRUE(check_mesh_name("a-1"));
  for (const char* wrong : {"", "..", "a/b", "A", "-a", "a b", "123456789012345678901234567890123"}) {
    EXPECT_FALSE(check_mesh_name(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace weft::local
