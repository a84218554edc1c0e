#include "policy/describe.h"

#include <gtest/gtest.h>

#include "policy/annotations.h"

namespace weft::policy {
namespace {

// What is shown can be written: it means the same again.
TEST(Describe, RulesReadAsTheyAreWritten) {
  for (const char* text : {"from=default/hello,shop/*,*,anonymous methods=GET,HEAD paths=/x,/api/*",
                           "methods=POST", "paths=/*", "from=anonymous"}) {
    const auto read = parse_service_annotations({{"weft.mesh/allow", text}});
    ASSERT_TRUE(read.errors.empty()) << read.errors[0].to_string();
    EXPECT_EQ(describe(read.settings.rbac.rules.at(0)), text);
  }
  for (const char* text : {"header(end-user)=john & method=GET -> v2", "header(x)~v[23] -> v3",
                           "path=/x -> v1", "path=/x/* -> v1"}) {
    const auto read = parse_service_annotations({{"weft.mesh/routes", text}});
    ASSERT_TRUE(read.errors.empty()) << read.errors[0].to_string();
    EXPECT_EQ(describe(read.settings.routes.at(0)), text);
  }
  constexpr const char* conditions =
      "5xx,gateway-error,reset,connect-failure,refused-stream,retriable-4xx,per-try-timeout,cancelled,"
      "deadline-exceeded,internal,resource-exhausted,unavailable,418";
  const auto read = parse_service_annotations({{"weft.mesh/retry-on", conditions}});
  ASSERT_TRUE(read.errors.empty()) << read.errors[0].to_string();
  EXPECT_EQ(describe_retry_on(read.settings.retry), conditions);
}

TEST(Describe, WhatSteersReadsAsItIsWritten) {
  const auto read = [](const Annotations& annotations) {
    const auto parsed = parse_service_annotations(annotations);
    EXPECT_TRUE(parsed.errors.empty()) << parsed.errors[0].to_string();
    return parsed.settings;
  };
  for (const char* text :
       {"least-request", "round-robin", "random", "hash(header:x-user)", "hash(cookie:sid)"})
    EXPECT_EQ(describe(read({{"weft.mesh/load-balancer", text}}).load_balancer), text);
  for (const char* text : {"header(x-user)", "cookie(sid)"})
    EXPECT_EQ(describe(*read({{"weft.mesh/canary-sticky", text}}).canary_sticky), text);
  for (const char* text : {"delay=5s@10%; abort=503@1%", "delay=100ms@100%", "abort=400@7%"})
    EXPECT_EQ(describe(read({{"weft.mesh/fault", text}}).fault), text);
  const char* const outlier = "consecutive=3 interval=1500ms ejection=60s max=10%";
  EXPECT_EQ(describe(read({{"weft.mesh/outlier", outlier}}).outlier), outlier);
  const char* const limits = "connections=1 pending=2 requests=3";
  EXPECT_EQ(describe(read({{"weft.mesh/limits", limits}}).limits), limits);
  EXPECT_EQ(describe(read({{"weft.mesh/mirror", "v2=10%"}}).mirror), "v2=10%");
  EXPECT_EQ(describe(Mirror()), "");
  EXPECT_EQ(describe(FaultInjection()), "");
}

TEST(Describe, NamesAreThoseOfTheGrammar) {
  EXPECT_EQ(name_of(MtlsMode::permissive), "permissive");
  EXPECT_EQ(name_of(MtlsMode::strict), "strict");
  EXPECT_EQ(name_of(MtlsMode::disable), "disable");
  EXPECT_EQ(name_of(DefaultPolicy::authenticated), "authenticated");
  EXPECT_EQ(name_of(DefaultPolicy::deny), "deny");
  EXPECT_EQ(name_of(RbacAction::audit), "audit");
  EXPECT_EQ(name_of(OutboundPolicy::allow_any), "allow-any");
  EXPECT_EQ(name_of(OutboundPolicy::registry_only), "registry-only");
  EXPECT_EQ(name_of(Protocol::detect), "detect");
  EXPECT_EQ(name_of(Protocol::tls), "tls");
  EXPECT_EQ(describe(Millis(2000)), "2s");
  EXPECT_EQ(describe(Millis(1500)), "1500ms");
}

}  // namespace
}  // namespace weft::policy
