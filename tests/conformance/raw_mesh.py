"""The mesh of the smuggling tests: an application that writes down every byte, and ways to it through real sidecars."""
import json
import subprocess

from mesh import ROOT, WEFT, Mesh, deployment, namespace, pod, service, service_account

RAW = "raw"
HERE = ROOT / "tests" / "conformance"

# Who asks whom.
WAYS_IN = {
    "outbound sidecar": ("client", "default", "app"),
    "outbound sidecar, HTTP/1.1 behind it": ("client", "default", "cased"),
    "outbound sidecar, no sidecar behind it": ("client", "default", "bare.legacy"),
    "inbound sidecar": ("old", "legacy", "app.default"),
}
PORT, HTTP2_PORT, CONTROL_PORT = 80, 82, 81


def with_all_ports(made):
    made["spec"]["ports"] += [{"name": "tcp-control", "port": CONTROL_PORT, "targetPort": 8081},
                              {"name": "http2", "port": HTTP2_PORT, "targetPort": 8082}]
    return made


def raw_mesh():
    """`app` has a sidecar, `bare` has none; `client` calls out through one, `old` has none and is let in."""
    ports = (8080, 8081, 8082)
    objects = [namespace("default"), namespace("legacy", inject=False), service_account("client"), service_account("app"),
               pod("client", account="client"), pod("old", ns="legacy"),
               deployment("app", RAW, ports=ports), with_all_ports(service("app")),
               # The same application, one request a connection between the sidecars.
               with_all_ports(service("cased", selector={"app": "app"}, annotations={"weft.mesh/preserve-case": "true"})),
               deployment("bare", RAW, ports=ports, ns="legacy"), with_all_ports(service("bare", ns="legacy"))]
    return Mesh(objects, images={RAW: f"/usr/bin/python3 {HERE}/raw_app.py"})


def run(mesh, script, pod_name, ns, **job):
    """What the script prints that runs in the pod."""
    done = subprocess.run([str(WEFT), "local", "exec", "--name", mesh.name, "-n", ns, pod_name, "--", "/usr/bin/python3", f"{HERE}/{script}"],
                          input=json.dumps(job), capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
