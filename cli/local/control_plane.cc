#include "cli/local/control_plane.h"

#include "base/check.h"
#include "base/text.h"
#include "cli/local/addresses.h"
#include "kube/manifests.h"

namespace weft::local {
namespace {

struct Component {
  std::string_view name;
  std::string_view port;
  std::string arguments;  // YAML list items
  std::string volumes;    // YAML: further volumes
  std::string mounts;     // and where they go
};

constexpr std::string_view credentials = "/var/run/secrets/weft";
constexpr std::string_view cluster_folder = "/var/lib/weft-cluster";
constexpr std::string_view authority_folder = "/var/lib/weft-ca";
constexpr std::string_view issuer_folder = "/var/lib/weft-issuer";

std::string host_volume(std::string_view name, const std::string& path) {
  return str_cat("      - {name: ", name, ", hostPath: {path: ", path, "}}\n");
}

std::string mount(std::string_view name, std::string_view path) {
  return str_cat("        - {name: ", name, ", mountPath: ", path, "}\n");
}

std::string argument(std::string_view text) { return str_cat("        - ", text, "\n"); }

// Who needs a certificate from the CA: its token and the roots to believe the CA by.
void add_credentials(Component& component) {
  component.volumes +=
      "      - name: token\n"
      "        projected: {sources: [{serviceAccountToken: {path: token, audience: weft-ca, "
      "expirationSeconds: 3600}}]}\n"
      "      - {name: bundle, configMap: {name: weft-trust-bundle}}\n";
  component.mounts += mount("token", str_cat(credentials, "/token"));
  component.mounts += mount("bundle", str_cat(credentials, "/bundle"));
  component.arguments += argument(str_cat("--token-file=", credentials, "/token/token"));
  component.arguments += argument(str_cat("--bundle-file=", credentials, "/bundle/root-cert.pem"));
}

std::string ranges() {
  return str_cat(pod_range_v4, ",", service_range_v4, ",", pod_range_v6, ",", service_range_v6);
}

std::string manifest(const Component& component) {
  const std::string_view name = component.name;
  return str_cat("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ", name,
                 ", namespace: ", control_plane_namespace,
                 "}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: ", name,
                 ", namespace: ", control_plane_namespace, "}\nspec:\n  selector: {app: ", name,
                 "}\n  ports: [{name: tls, port: ", component.port,
                 "}]\n---\napiVersion: apps/v1\nkind: Deployment\n", "metadata: {name: ", name,
                 ", namespace: ", control_plane_namespace,
                 "}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: ", name,
                 "}}\n  template:\n    metadata: ", "{labels: {app: ", name,
                 "}}\n    spec:\n      serviceAccountName: ", name,
                 "\n      terminationGracePeriodSeconds: 5\n      containers:\n      - name: ", name,
                 "\n        image: ", name, "\n        args:\n", component.arguments,
                 "        securityContext: {capabilities: {drop: [ALL]}}\n"
                 "        readinessProbe: {httpGet: {path: /ready, port: 15014}, periodSeconds: 1}\n",
                 component.mounts.empty() ? "" : "        volumeMounts:\n", component.mounts,
                 component.volumes.empty() ? "" : "      volumes:\n", component.volumes, "---\n");
}

Component authority(const StateFolder& folder) {
  Component ca{ca_name, "15012", {}, {}, {}};
  ca.volumes = host_volume("authority", folder.authority()) + host_volume("issuer", folder.issuer());
  ca.mounts = mount("authority", authority_folder) + mount("issuer", issuer_folder);
  ca.arguments = argument(str_cat("--key-file=", authority_folder, "/ca.pem")) +
                 argument(str_cat("--bundle-out=", authority_folder, "/root-cert.pem")) +
                 argument(str_cat("--jwks=", issuer_folder, "/jwks.json")) +
                 argument("--dns-name=weft-ca.weft-system.svc") +
                 argument("--control-plane=weft-system/weft-discovery=weft-discovery.weft-system.svc") +
                 argument("--control-plane=weft-system/weft-injector=weft-injector.weft-system.svc");
  return ca;
}

Component discovery(const StateFolder& folder) {
  Component component{discovery_name, "15011", {}, {}, {}};
  component.volumes = host_volume("cluster", folder.cluster());
  component.mounts = mount("cluster", cluster_folder);
  component.arguments =
      argument(str_cat("--folder=", cluster_folder)) + argument(str_cat("--mesh-cidr=", ranges()));
  component.arguments += argument("--listen=0.0.0.0:15011") + argument("--metrics=0.0.0.0:15014");
  add_credentials(component);
  return component;
}

Component injector() {
  Component component{injector_name, "15017", {}, {}, {}};
  component.arguments = argument("--image=weft-sidecar") + argument(str_cat("--mesh-cidrs=", ranges()));
  add_credentials(component);
  return component;
}

}  // namespace

std::vector<kube::Object> control_plane_objects(const StateFolder& folder) {
  const std::string text = manifest(authority(folder)) + manifest(discovery(folder)) + manifest(injector());
  kube::Manifests manifests = kube::parse_manifests(text, "control plane", control_plane_namespace);
  WEFT_CHECK(manifests.errors.empty());
  return std::move(manifests.objects);
}

}  // namespace weft::local
