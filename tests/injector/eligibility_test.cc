#include "injector/eligibility.h"

#include <gtest/gtest.h>

namespace weft::injector {
namespace {

Labels label(const std::string& value) {
  return value.empty() ? Labels{} : Labels{{"weft.mesh/inject", value}};
}

struct Case {
  std::string name_space;
  std::string namespace_label;
  std::string pod_label;
  bool selected;
};

TEST(Eligibility, PodLabelOverridesNamespaceLabel) {
  const std::vector<Case> cases = {
      {"default", "", "", false},           {"default", "", "true", true},
      {"default", "", "false", false},      {"default", "enabled", "", true},
      {"default", "enabled", "true", true}, {"default", "enabled", "false", false},
      {"default", "disabled", "", false},   {"default", "disabled", "true", true},
      {"default", "true", "", false},       {"default", "enabled", "yes", true},
      {"default", "", "yes", false},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(selected_for_injection(one.name_space, label(one.namespace_label), label(one.pod_label),
                                     "weft-system"),
              one.selected)
        << one.name_space << " namespace=" << one.namespace_label << " pod=" << one.pod_label;
  }
}

TEST(Eligibility, SystemNamespacesNeverTakePart) {
  for (const std::string name_space : {"kube-system", "kube-node-lease", "weft-system"}) {
    EXPECT_FALSE(selected_for_injection(name_space, label("enabled"), label("true"), "weft-system"))
        << name_space;
    const auto excluded = excluded_in_webhook(name_space, label("true"), "weft-system");
    ASSERT_TRUE(excluded);
    EXPECT_EQ(*excluded, "namespace " + name_space + " never takes part in the mesh");
  }
  EXPECT_TRUE(selected_for_injection("weft-system", label("enabled"), {}, "mesh"))
      << "only weft's own, wherever it is";
}

TEST(Eligibility, WebhookChecksThePodsLabelAgain) {
  EXPECT_EQ(excluded_in_webhook("default", {}, "weft-system"), std::string());
  EXPECT_EQ(excluded_in_webhook("default", label("true"), "weft-system"), std::string());
  EXPECT_EQ(excluded_in_webhook("default", label("false"), "weft-system"),
            std::string("the pod is labelled weft.mesh/inject=false"));
  const auto wrong = excluded_in_webhook("default", label("yes"), "weft-system");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("weft.mesh/inject"), std::string::npos) << wrong.error().message;
  EXPECT_NE(wrong.error().message.find("true or false"), std::string::npos) << wrong.error().message;
}

}  // namespace
}  // namespace weft::injector
