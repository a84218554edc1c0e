// What the control plane does for each change: annotations of a Service, injection of a pod.
#include <string>

#include "base/check.h"
#include "injector/admission.h"
#include "injector/admission_review.h"
#include "policy/annotations.h"
#include "tests/bench/micro/operation.h"

namespace weft::bench {
namespace {

// Every kind of value that a Service can carry.
Function<void()> service_annotations() {
  policy::Annotations annotations{
      {"kubectl.kubernetes.io/last-applied-configuration", "{}"},
      {"weft.mesh/timeout", "10s"},
      {"weft.mesh/retry-attempts", "2"},
      {"weft.mesh/retry-on", "5xx,reset,connect-failure"},
      {"weft.mesh/per-try-timeout", "2s"},
      {"weft.mesh/retry-methods", "POST,PATCH"},
      {"weft.mesh/retry-budget", "20%"},
      {"weft.mesh/canary", "v1=90,v2=10"},
      {"weft.mesh/canary-label", "track"},
      {"weft.mesh/routes", "header(end-user)=john -> v2; header(user-agent)~.*Chrome.* & path=/x/* -> v1"},
      {"weft.mesh/outlier", "consecutive=5 interval=10s ejection=30s max=50%"},
      {"weft.mesh/allow", "from=default/hello methods=GET,HEAD paths=/api/*; from=web/*"},
      {"weft.mesh/deny", "from=anonymous paths=/admin/*"},
  };
  return [annotations = std::move(annotations)] {
    const auto read = policy::parse_service_annotations(annotations, "service default/world");
    WEFT_CHECK(read.errors.empty() && read.settings.rbac.rules.size() == 3);
  };
}

constexpr std::string_view pod = R"({
  "apiVersion": "v1", "kind": "Pod",
  "metadata": {"generateName": "world-6c5b9d7f4-", "namespace": "default",
    "labels": {"app": "world", "version": "v1", "pod-template-hash": "6c5b9d7f4"},
    "annotations": {"weft.mesh/exclude-outbound-ports": "5432,6379", "weft.mesh/access-log": "all",
      "prometheus.io/scrape": "true", "prometheus.io/port": "9090"}},
  "spec": {"serviceAccountName": "world", "nodeSelector": {"kubernetes.io/os": "linux"},
    "containers": [
      {"name": "world", "image": "registry.example.org/world:1.2.3",
       "ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}],
       "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "DATABASE", "value": "postgres://db:5432/world"},
               {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
       "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
       "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
       "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}, "periodSeconds": 10},
       "startupProbe": {"tcpSocket": {"port": 8080}, "failureThreshold": 30},
       "volumeMounts": [{"name": "config", "mountPath": "/etc/world"},
         {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}]}],
    "volumes": [{"name": "config", "configMap": {"name": "world"}},
      {"name": "kube-api-access", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
    "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]}})";

// POST /inject, from the body of the question to the body of the answer.
Function<void()> inject_pod() {
  injector::AdmissionRequest request;
  request.uid = "705ab4f5-6393-11e8-b7cc-42010a800002";
  request.kind = "Pod";
  request.operation = "CREATE";
  request.name_space = "default";
  request.object = pod;
  auto review = injector::make_admission_review(request);
  WEFT_CHECK(review.has_value());
  return [body = *std::move(review), config = injector::InjectorConfig{}] {
    const auto admission = injector::admit(body, config);
    WEFT_CHECK(admission.has_value() && admission->outcome == injector::Admission::Outcome::injected);
  };
}

}  // namespace

void add_control_operations(Operations& operations) {
  operations.push_back({"annotations/service", service_annotations});
  operations.push_back({"injector/admit-pod", inject_pod});
}

}  // namespace weft::bench
