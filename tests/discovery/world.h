// A State out of manifests, for tests.
#pragma once

#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "discovery/state.h"
#include "kube/manifests.h"

namespace weft::discovery {

inline std::vector<Change> changes_of(std::string_view yaml) {
  kube::Manifests manifests = kube::parse_manifests(yaml, "test.yaml");
  for (const Error& error : manifests.errors) ADD_FAILURE() << error.message;
  std::vector<Change> out;
  for (kube::Object& object : manifests.objects) {
    ObjectKey key = key_of(object);
    out.push_back({std::move(key), std::move(object)});
  }
  return out;
}

inline Change gone(std::string_view kind, std::string_view name_space, std::string_view name) {
  return {{std::string(kind), std::string(name_space), std::string(name)}, std::nullopt};
}

inline MeshOptions test_mesh() {
  return {.trust_domain = "cluster.local",
          .cluster_domain = "cluster.local",
          .ranges = {*Cidr::parse("198.18.0.0/15"), *Cidr::parse("2001:2::/48")}};
}

inline Address at(std::string_view text) { return *Address::parse(text); }

// A running, meshed pod. `more` goes into the metadata mapping, `spec` into the spec mapping.
inline std::string pod_yaml(std::string_view name, std::string_view ip, std::string_view labels,
                            std::string_view more = {}, std::string_view spec = {}, bool ready = true,
                            bool meshed = true) {
  std::string out = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: ";
  out.append(name).append(", namespace: default, uid: uid-").append(name);
  out.append(", labels: {").append(labels).append("}").append(more).append("}\nspec:\n");
  out.append("  serviceAccountName: hello\n");
  if (meshed) out.append("  initContainers: [{name: weft-sidecar, restartPolicy: Always}]\n");
  out.append("  containers: [{name: app, ports: [{name: web, containerPort: 8080}]}]\n").append(spec);
  out.append("status: {phase: Running, podIP: \"")
      .append(ip)
      .append("\", conditions: [{type: Ready, status: \"");
  out.append(ready ? "True" : "False").append("\"}]}\n");
  return out;
}

inline std::string service_yaml(std::string_view name, std::string_view ip, std::string_view selector,
                                std::string_view ports = "{name: http, port: 80, targetPort: web}",
                                std::string_view annotations = {}) {
  std::string out = "---\napiVersion: v1\nkind: Service\nmetadata: {name: ";
  out.append(name).append(", namespace: default, annotations: {").append(annotations).append("}}\nspec:\n");
  out.append("  clusterIP: \"").append(ip).append("\"\n  selector: {").append(selector).append("}\n");
  out.append("  ports: [").append(ports).append("]\n");
  return out;
}

}  // namespace weft::discovery
