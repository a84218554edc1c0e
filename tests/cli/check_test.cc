#include "cli/check.h"

#include <gtest/gtest.h>

namespace weft::cli {
namespace {

TEST(Check, NamesFileObjectAnnotationAndColumn) {
  Findings findings;
  check_text(R"(
apiVersion: v1
kind: Service
metadata: {name: world, namespace: default, annotations: {weft.mesh/timeout: 10x, weft.mesh/timout: 1s}}
spec: {ports: [{port: 80}]}
)",
             "a.yaml", findings);
  ASSERT_EQ(findings.errors.size(), 2u);
  EXPECT_TRUE(findings.errors[0].starts_with("a.yaml:")) << findings.errors[0];
  EXPECT_NE(findings.errors[0].find("Service default/world: weft.mesh/timeout: column 3: expected"),
            std::string::npos)
      << findings.errors[0];
  EXPECT_NE(findings.errors[1].find("did you mean weft.mesh/timeout?"), std::string::npos);
  EXPECT_EQ(findings.objects, 1u);
}

TEST(Check, LooksIntoTemplatesOfEveryKindAndRefusesWhatStandsInTheWrongPlace) {
  Findings findings;
  check_text(R"(
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, annotations: {weft.mesh/mtls: strict}}
spec: {jobTemplate: {spec: {template: {metadata: {annotations: {weft.mesh/concurrency: many}}, spec: {containers: []}}}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: web, labels: {weft.mesh/inject: "yes"}}
)",
             "b.yaml", findings);
  ASSERT_EQ(findings.errors.size(), 3u);
  EXPECT_NE(findings.errors[0].find("has no meaning on a CronJob"), std::string::npos) << findings.errors[0];
  EXPECT_NE(findings.errors[1].find("weft.mesh/concurrency"), std::string::npos) << findings.errors[1];
  EXPECT_NE(findings.errors[2].find("Namespace web: weft.mesh/inject"), std::string::npos)
      << findings.errors[2];
}

TEST(Check, AFileThatCannotBeReadIsAnErrorOfItsOwn) {
  Findings findings;
  check_text("a: [", "c.yaml", findings);
  ASSERT_EQ(findings.errors.size(), 1u);
  EXPECT_TRUE(findings.errors[0].starts_with("c.yaml:")) << findings.errors[0];
}

}  // namespace
}  // namespace weft::cli
