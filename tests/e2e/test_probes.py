"""Probes of applications, as the kubelet makes them: sent through the sidecar where there is one, else by the node."""
import pytest

from mesh import Mesh, deployment, namespace, service_account

OFF = {"weft.mesh/inject": "false"}


def https(path="/0", port="web", **more):
    return {"httpGet": {"path": path, "port": port, "scheme": "HTTPS", "httpHeaders": [{"name": "Host", "value": "shop.example"}]},
            "periodSeconds": 1, **more}


def grpc(service="", port=9000, **more):
    return {"grpc": {"port": port, "service": service}, "periodSeconds": 1, **more}


def probed(app, image, probes, env=None, labels=None, port=8080):
    """A Deployment whose only container of its own has exactly these probes."""
    made = deployment(app, image, env=env, ports=(port,), probe=False, labels=labels, account="apps")
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["ports"] = [{"name": "web", "containerPort": port}]
    container.update(probes)
    return made


def all_three(probe):
    return {"startupProbe": probe, "livenessProbe": probe, "readinessProbe": probe}


def applications():
    both = []
    for suffix, labels in (("", {}), ("-legacy", OFF)):
        both += [probed("tls" + suffix, "python", all_three(https()), env={"APP": "https"}, labels=labels),
                 probed("rpc" + suffix, "python", {**all_three(grpc()), "readinessProbe": grpc("shop")},
                        env={"APP": "health", "PORT": 9000}, labels=labels, port=9000),
                 probed("plain" + suffix, "python", {"livenessProbe": {"httpGet": {"port": 8080, "path": "/20000"}},
                                                     "readinessProbe": {"tcpSocket": {"port": "web"}}},
                        env={"APP": "big"}, labels=labels)]
    return both


@pytest.mark.parametrize("mtls", ["permissive", "strict"])
def test_https_and_grpc_applications_become_ready(mtls):
    """Every kind of probe, of pods with and without a sidecar, on strict ports as well; nothing is restarted."""
    objects = [namespace("default", mtls=mtls), service_account("apps"), *applications()]
    with Mesh(objects) as mesh:
        assert {p["restarts"] for p in mesh.pods() if p["namespace"] == "default"} == {0}
        patched = mesh.exec(mesh.pod_of("tls"), "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}",
                            "http://127.0.0.1:15021/app-health/app/readyz").stdout
        assert patched == "200"


BROKEN = {
    "not-serving": (dict(image="python", env={"APP": "health", "PORT": 9000}, port=9000, probes={"readinessProbe": grpc("cart")}),
                    "readiness", "gRPC health of service cart at", "NOT_SERVING, expected SERVING"),
    "not-grpc": (dict(image="python", env={"APP": "big"}, probes={"readinessProbe": grpc(port=8080)}),
                 "readiness", "gRPC health check at", ""),
    "plaintext": (dict(image="python", env={"APP": "big"}, probes={"readinessProbe": https()}),
                  "readiness", "TLS with", "the peer does not speak TLS"),
    "silent": (dict(image="python", env={"APP": "deaf"}, probes={"startupProbe": https(timeoutSeconds=1)}),
               "startup", "a TCP connection, but no TLS handshake", "within"),
}


def test_failing_probe_says_container_probe_and_reason():
    """In `weft local status`, and for pods with a sidecar in its log too: which container, which probe, and why."""
    objects = [namespace("default"), service_account("apps")]
    for app, (made, *_) in BROKEN.items():
        objects += [probed(app, **made), probed(app + "-legacy", labels=OFF, **made)]
    with Mesh(objects, ready=False) as mesh:
        for app, (_, probe, what, why) in BROKEN.items():
            for name in (app, app + "-legacy"):
                def said():
                    waits = [p.get("waiting_for") or "" for p in mesh.pods(name)]
                    return any(f"container app: {probe} probe: " in w and what in w and why in w for w in waits)
                assert mesh.until(said, limit=40), (name, mesh.weft("status", check=False).stdout)
            log = mesh.sidecar_log(mesh.pod_of(app))
            assert all(text in log for text in ("probe failed", f"probe={probe}", "container=app", why)), log
