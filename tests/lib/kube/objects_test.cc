#include "kube/objects.h"

#include <gtest/gtest.h>

namespace weft::kube {
namespace {

using policy::Protocol;

TEST(Objects, ProtocolComesFromAppProtocolThenFromTheNamesPrefix) {
  struct Case {
    std::string_view app_protocol;
    std::string_view name;
    Protocol protocol;
  };
  const Case cases[] = {{"", "http", Protocol::http1},
                        {"", "http-web", Protocol::http1},
                        {"", "HTTP-web", Protocol::http1},
                        {"", "http2-x", Protocol::http2},
                        {"", "grpc", Protocol::grpc},
                        {"", "grpc-web-x", Protocol::http1},
                        {"", "https", Protocol::tls},
                        {"", "tls-x", Protocol::tls},
                        {"", "tcp", Protocol::tcp},
                        {"", "web", Protocol::detect},
                        {"", "httpx", Protocol::detect},
                        {"", "", Protocol::detect},
                        {"http", "tcp", Protocol::http1},
                        {"kubernetes.io/h2c", "http", Protocol::http2},
                        {"kubernetes.io/ws", "", Protocol::http1},
                        {"kubernetes.io/wss", "", Protocol::tls},
                        {"example.com/other", "http", Protocol::detect}};
  for (const Case& test : cases)
    EXPECT_EQ(protocol_of(test.app_protocol, test.name), test.protocol)
        << test.app_protocol << " " << test.name;
}

TEST(Objects, ASelectorNeedsEveryLabelAndAnEmptyOneSelectsNothing) {
  EXPECT_TRUE(selects({{"a", "1"}}, {{"a", "1"}, {"b", "2"}}));
  EXPECT_FALSE(selects({{"a", "1"}, {"c", "3"}}, {{"a", "1"}, {"b", "2"}}));
  EXPECT_FALSE(selects({{"a", "2"}}, {{"a", "1"}}));
  EXPECT_FALSE(selects({}, {{"a", "1"}}));
}

TEST(Objects, APodIsMeshedByContainerOrByAnnotation) {
  Pod pod;
  EXPECT_FALSE(has_sidecar(pod));
  pod.spec.init_containers.push_back({.name = "weft-sidecar"});
  EXPECT_TRUE(has_sidecar(pod));
  Pod annotated;
  annotated.meta.annotations["weft.mesh/status"] = "{}";
  EXPECT_TRUE(has_sidecar(annotated));
}

TEST(Objects, AnUnknownKindIsNotFoundAndAWrongOneInvalid) {
  EXPECT_EQ(parse_object(R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"}})").error().code,
            Code::not_found);
  const auto wrong =
      parse_object(R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},"spec":{"ports":3}})");
  EXPECT_EQ(wrong.error().code, Code::invalid);
  EXPECT_EQ(wrong.error().message, "Service default/s: spec.ports: expected a list, found the number 3");
  EXPECT_EQ(parse_object("{").error().message, "not JSON");
}

TEST(Objects, APodUnderAdmissionNeedsNoNameYet) {
  const auto pod =
      parse_pod(R"({"metadata":{"generateName":"hello-"},"spec":{"containers":[{"name":"app"}]}})", "shop");
  ASSERT_TRUE(pod) << pod.error().message;
  EXPECT_EQ(pod->meta.generate_name, "hello-");
  EXPECT_EQ(pod->meta.name_space, "shop");
}

}  // namespace
}  // namespace weft::kube
