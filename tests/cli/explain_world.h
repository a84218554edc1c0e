// Manifests to ask `weft explain` about, and how tests ask.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cli/explain/explain.h"
#include "cli/explain/stand_in.h"
#include "kube/manifests.h"

namespace weft::cli {

inline constexpr std::string_view workloads = R"(
apiVersion: v1
kind: Namespace
metadata: {name: default, labels: {weft.mesh/inject: enabled}, annotations: {weft.mesh/mtls: strict}}
---
apiVersion: v1
kind: Namespace
metadata: {name: legacy}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: idle, namespace: default}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec: {serviceAccountName: hello, containers: [{name: app, image: x, ports: [{containerPort: 8080}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: world-v1, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: world, version: v1}}
  template:
    metadata: {labels: {app: world, version: v1}}
    spec: {serviceAccountName: world, containers: [{name: app, image: x, ports: [{containerPort: 8080}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: world-v2, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: world, version: v2}}
  template:
    metadata: {labels: {app: world, version: v2}}
    spec: {serviceAccountName: world, containers: [{name: app, image: x, ports: [{containerPort: 8080}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: old, namespace: legacy}
spec:
  replicas: 1
  selector: {matchLabels: {app: old}}
  template:
    metadata: {labels: {app: old}}
    spec: {serviceAccountName: old, containers: [{name: app, image: x, ports: [{containerPort: 8080}]}]}
)";

inline std::string service(std::string_view name, std::string_view annotations,
                           std::string_view port_name = "http", std::string_view selector = "app: world") {
  return std::string("---\napiVersion: v1\nkind: Service\nmetadata:\n  name: ")
      .append(name)
      .append("\n  namespace: default\n  annotations: {")
      .append(annotations)
      .append("}\nspec:\n  selector: {")
      .append(selector)
      .append("}\n  ports: [{name: ")
      .append(port_name)
      .append(", port: 80, targetPort: 8080}]\n");
}

inline World world_of(std::string_view more) {
  const kube::Manifests manifests = kube::parse_manifests(std::string(workloads).append(more), "test.yaml");
  for (const Error& error : manifests.errors) ADD_FAILURE() << error.message;
  const AsApplied applied = as_applied(manifests.objects);
  EXPECT_EQ(applied.notes, std::vector<std::string>());
  return make_world(applied.objects);
}

struct Ask {
  std::string from = "default/hello";
  std::string to = "world:80";
  std::string method = "GET";
  std::string path = "/";
  std::vector<std::string> headers = {};
};

inline Result<Explanation> answer(const World& world, const Ask& ask) {
  WEFT_ASSIGN(Question question, make_question(ask.from, ask.to, ask.method, ask.path, ask.headers));
  return explain(world, std::move(question));
}

inline Explanation ask(const World& world, const Ask& question) {
  Result<Explanation> result = answer(world, question);
  if (!result) {
    ADD_FAILURE() << result.error().message;
    return {};
  }
  return *std::move(result);
}

inline bool says(const std::vector<std::string>& notes, std::string_view text) {
  return std::any_of(notes.begin(), notes.end(),
                     [text](const std::string& note) { return note.find(text) != std::string::npos; });
}

}  // namespace weft::cli
