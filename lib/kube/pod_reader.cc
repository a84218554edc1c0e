#include <algorithm>

#include "base/text.h"
#include "kube/json_field.h"

namespace weft::kube {
namespace {

using Kind = VolumeSource::Kind;

Action read_action(const JsonField& from) {
  Action out;
  if (const JsonField http = from["httpGet"]; http.present()) {
    out.kind = Action::Kind::http_get;
    out.path = http["path"].text("/");
    out.host = http["host"].text();
    out.port = http["port"].port_ref();
    if (!http["port"].present()) http["port"].unexpected("a port number or the name of a container port");
    out.https = http["scheme"].text() == "HTTPS";
    http["httpHeaders"].each(
        [&](const JsonField& header) { out.headers[header["name"].needed_text()] = header["value"].text(); });
  } else if (const JsonField tcp = from["tcpSocket"]; tcp.present()) {
    out.kind = Action::Kind::tcp_socket;
    out.host = tcp["host"].text();
    out.port = tcp["port"].port_ref();
  } else if (const JsonField grpc = from["grpc"]; grpc.present()) {
    out.kind = Action::Kind::grpc;
    out.port = {grpc["port"].needed_port(), {}};
    out.grpc_service = grpc["service"].text();
  } else if (const JsonField sleep = from["sleep"]; sleep.present()) {
    out.kind = Action::Kind::sleep;
    out.sleep = sleep["seconds"].seconds({});
  } else if (const JsonField exec = from["exec"]; exec.present()) {
    out.command = exec["command"].texts();
  } else {
    from.wrong("expected exec, httpGet, tcpSocket, grpc or sleep");
  }
  return out;
}

std::optional<Action> read_hook(const JsonField& from) {
  if (!from.present()) return std::nullopt;
  return read_action(from);
}

std::optional<Probe> read_probe(const JsonField& from) {
  if (!from.present()) return std::nullopt;
  Probe out;
  out.action = read_action(from);
  out.initial_delay = from["initialDelaySeconds"].seconds(out.initial_delay);
  out.period = from["periodSeconds"].seconds(out.period);
  out.timeout = from["timeoutSeconds"].seconds(out.timeout);
  out.success_threshold = from["successThreshold"].number(1, 1000, out.success_threshold);
  out.failure_threshold = from["failureThreshold"].number(1, 100'000, out.failure_threshold);
  return out;
}

std::optional<std::uint32_t> read_id(const JsonField& from) {
  if (!from.present()) return std::nullopt;
  return from.number(0, 2'147'483'647, 0);
}

SecurityContext read_security(const JsonField& from) {
  SecurityContext out;
  out.run_as_user = read_id(from["runAsUser"]);
  out.run_as_group = read_id(from["runAsGroup"]);
  out.capabilities_add = from["capabilities"]["add"].texts();
  out.capabilities_drop = from["capabilities"]["drop"].texts();
  out.privileged = from["privileged"].boolean();
  out.read_only_root = from["readOnlyRootFilesystem"].boolean();
  return out;
}

Container read_container(const JsonField& from) {
  Container out;
  out.name = from["name"].dns_label();
  if (out.name.empty()) from["name"].unexpected("the container's name");
  out.image = from["image"].text();
  out.command = from["command"].texts();
  out.args = from["args"].texts();
  out.working_dir = from["workingDir"].text();
  from["env"].each([&](const JsonField& variable) {
    out.env.push_back({variable["name"].needed_text(), variable["value"].text(),
                       variable["valueFrom"]["fieldRef"]["fieldPath"].text()});
  });
  from["ports"].each([&](const JsonField& port) {
    out.ports.push_back(
        {port["name"].text(), port["containerPort"].needed_port(), port["protocol"].text("TCP")});
  });
  out.readiness_probe = read_probe(from["readinessProbe"]);
  out.liveness_probe = read_probe(from["livenessProbe"]);
  out.startup_probe = read_probe(from["startupProbe"]);
  out.post_start = read_hook(from["lifecycle"]["postStart"]);
  out.pre_stop = read_hook(from["lifecycle"]["preStop"]);
  out.resource_requests = from["resources"]["requests"].quantity_map();
  out.resource_limits = from["resources"]["limits"].quantity_map();
  out.security = read_security(from["securityContext"]);
  from["volumeMounts"].each([&](const JsonField& mount) {
    out.volume_mounts.push_back({mount["name"].needed_text(), mount["mountPath"].needed_text(),
                                 mount["subPath"].text(), mount["readOnly"].boolean()});
  });
  out.restart_policy = from["restartPolicy"].text();
  return out;
}

std::vector<KeyToPath> read_items(const JsonField& from) {
  std::vector<KeyToPath> out;
  from.each([&](const JsonField& item) {
    out.push_back({item["key"].needed_text(), item["path"].needed_text()});
  });
  return out;
}

VolumeSource read_named(const JsonField& from, Kind kind, std::string_view name_key) {
  VolumeSource out;
  out.kind = kind;
  out.name = from[name_key].text();
  out.items = read_items(from["items"]);
  out.optional = from["optional"].boolean();
  return out;
}

VolumeSource read_downward(const JsonField& from) {
  VolumeSource out;
  out.kind = Kind::downward;
  from["items"].each([&](const JsonField& item) {
    out.items.push_back({item["fieldRef"]["fieldPath"].text(), item["path"].needed_text()});
  });
  return out;
}

// One source of a projected volume, whose names differ a little from those of a volume of its own.
VolumeSource read_projection(const JsonField& from) {
  if (const JsonField token = from["serviceAccountToken"]; token.present()) {
    VolumeSource out;
    out.kind = Kind::service_account_token;
    out.path = token["path"].needed_text();
    out.audience = token["audience"].text();
    out.expiration = token["expirationSeconds"].seconds(out.expiration);
    return out;
  }
  if (from["configMap"].present()) return read_named(from["configMap"], Kind::config_map, "name");
  if (from["secret"].present()) return read_named(from["secret"], Kind::secret, "name");
  if (from["downwardAPI"].present()) return read_downward(from["downwardAPI"]);
  return {};
}

Volume read_volume(const JsonField& from) {
  Volume out;
  out.name = from["name"].dns_label();
  if (out.name.empty()) from["name"].unexpected("the volume's name");
  VolumeSource source;
  if (const JsonField empty = from["emptyDir"]; empty.present()) {
    source.kind = Kind::empty_dir;
    source.medium = empty["medium"].text();
  } else if (from["configMap"].present()) {
    source = read_named(from["configMap"], Kind::config_map, "name");
  } else if (from["secret"].present()) {
    source = read_named(from["secret"], Kind::secret, "secretName");
  } else if (from["hostPath"].present()) {
    source.kind = Kind::host_path;
    source.path = from["hostPath"]["path"].needed_text();
  } else if (from["downwardAPI"].present()) {
    source = read_downward(from["downwardAPI"]);
  } else if (from["projected"].present()) {
    from["projected"]["sources"].each(
        [&](const JsonField& projection) { out.sources.push_back(read_projection(projection)); });
    return out;
  }
  out.sources.push_back(std::move(source));
  return out;
}

}  // namespace

PodSpec read_pod_spec(const JsonField& spec) {
  PodSpec out;
  spec["initContainers"].each(
      [&](const JsonField& from) { out.init_containers.push_back(read_container(from)); });
  spec["containers"].each([&](const JsonField& from) { out.containers.push_back(read_container(from)); });
  if (out.containers.empty()) spec["containers"].unexpected("at least one container");
  spec["volumes"].each([&](const JsonField& from) { out.volumes.push_back(read_volume(from)); });
  out.service_account_name = spec["serviceAccountName"].dns_subdomain();
  if (out.service_account_name.empty()) out.service_account_name = spec["serviceAccount"].dns_subdomain();
  if (out.service_account_name.empty()) out.service_account_name = "default";
  out.automount_service_account_token = spec["automountServiceAccountToken"].boolean(true);
  out.termination_grace_period = spec["terminationGracePeriodSeconds"].seconds(out.termination_grace_period);
  out.restart_policy = spec["restartPolicy"].text(out.restart_policy);
  out.host_network = spec["hostNetwork"].boolean();
  out.security = read_security(spec["securityContext"]);
  return out;
}

}  // namespace weft::kube
