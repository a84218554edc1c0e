"""Every annotation of a pod template does what the documentation says of it."""
import os
import subprocess

import pytest

from mesh import Mesh, WEFT, deployment, namespace, pod, service, service_account
from test_traffic import sidecar_pid

APPS = {
    "strict": {"mtls": "strict"},
    "port-open": {"mtls": "strict", "mtls-ports": "8080=permissive"},
    "off": {"mtls": "disable", "access-log": "all"},
    "past": {"mtls": "strict", "exclude-inbound-ports": "8080"},
    "opaque": {"opaque-ports": "8080", "access-log": "all"},
    "guarded": {"mtls": "strict", "allow": "from=default/client"},
    "one": {"concurrency": "1"},
    "four": {"concurrency": "4"},
}


def annotated(values):
    return {f"weft.mesh/{key}": value for key, value in values.items()}


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default"), namespace("legacy", inject=False), pod("old", ns="legacy"), service_account("client")]
    for name, values in {"client": {}, "skips-port": {"exclude-outbound-ports": "80"},
                         "skips-block": {"exclude-outbound-cidrs": "198.18.128.0/17"}, "skips-user": {"exclude-uids": "1234"},
                         "registry": {"outbound-policy": "registry-only"}}.items():
        objects.append(pod(name, account="client", annotations=annotated(values)))
    for app, values in APPS.items():
        objects += [service_account(app), deployment(app, "http-echo", env={"TEXT": app}, annotations=annotated(values)), service(app)]
    with Mesh(objects) as up:
        # A pod is ready a moment before discovery has told everybody.
        assert up.until(lambda: all(up.code("client", f"http://{app}/") == "200" for app in APPS), 20)
        yield up


def test_mtls_and_mtls_ports(mesh):
    assert mesh.code("old", "http://strict.default/", ns="legacy") == "403"
    assert mesh.code("old", "http://port-open.default/", ns="legacy") == "200"
    assert mesh.code("old", "http://off.default/", ns="legacy") == "200"


def inbound(mesh, app):
    return [line for line in mesh.access_log(mesh.pod_of(app)) if line["direction"] == "inbound"]


def test_mtls_disable_is_plaintext_from_within_the_mesh_too(mesh):
    assert mesh.code("client", "http://off/") == "200"
    assert mesh.until(lambda: inbound(mesh, "off"))
    assert not any(line.get("mutual_tls") for line in inbound(mesh, "off"))


def test_excluded_inbound_ports_go_past_the_sidecar(mesh):
    assert mesh.code("old", "http://past.default/", ns="legacy") == "200"


@pytest.mark.parametrize("caller", ["skips-port", "skips-block"])
def test_what_goes_past_the_own_sidecar_is_no_member_of_the_mesh(mesh, caller):
    """On its own side it may; the receiver enforces all the same."""
    status, headers = mesh.headers(caller, "http://strict/")
    assert status.split()[1] == "403" and headers["x-weft-error"] == "mtls-required"
    assert mesh.code("client", "http://strict/") == "200"


def test_excluded_users_go_past_the_sidecar(mesh):
    url = "http://strict/"
    command = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url]
    assert mesh.exec("skips-user", *command).stdout == "403"
    assert mesh.exec("client", *command).stdout == "200"
    assert mesh.code("skips-user", url) == "200"


def test_opaque_ports_are_tcp_whatever_the_service_says(mesh):
    assert mesh.curl("client", "http://opaque/") == "opaque"
    assert mesh.until(lambda: inbound(mesh, "opaque"))
    assert {line["kind"] for line in inbound(mesh, "opaque")} == {"connection"}


def test_allow_on_a_pod_template_governs_all_of_its_ports(mesh):
    address = mesh.pods("guarded")[0]["address"]
    for url in ("http://guarded/", f"http://{address}:8080/"):
        assert mesh.code("client", url) == "200"
        status, headers = mesh.headers(mesh.pod_of("one"), url)
        assert status.split()[1] == "403" and headers["x-weft-error"] == "rbac-denied"


def test_concurrency_is_the_number_of_workers(mesh):
    def threads(app):
        return len(os.listdir(f"/proc/{sidecar_pid(mesh, mesh.pod_of(app))}/task"))
    assert threads("four") - threads("one") == 3


def test_access_log_changes_live(mesh):
    def lines():
        return len(mesh.access_log("client"))
    for value, wanted in (("all", True), ("off", False)):
        mesh.annotate("pod/client", f"weft.mesh/access-log={value}")

        def reached(wanted=wanted):
            before = lines()
            mesh.code("client", "http://strict/")
            return mesh.until(lambda: lines() > before, 1) == wanted
        assert mesh.until(reached, 15)
    mesh.annotate("pod/client", "weft.mesh/access-log-")


def test_log_level_changes_live(mesh):
    target = mesh.pod_of("guarded")

    def lines():
        return mesh.sidecar_log(target).count("request refused")
    for value, wanted in (("warning", False), ("info", True)):
        mesh.annotate(f"pod/{target}", f"weft.mesh/log-level={value}")

        def reached(wanted=wanted):
            before = lines()
            assert mesh.code(mesh.pod_of("one"), "http://guarded/") == "403"
            return mesh.until(lambda: lines() > before, 1) == wanted
        assert mesh.until(reached, 15), value
    mesh.annotate(f"pod/{target}", "weft.mesh/log-level-")


def test_registry_only_knows_the_mesh_alone(mesh):
    """198.19.0.0/16 is the world outside: nobody answers there, and one of the two does not even ask."""
    assert mesh.code("registry", "http://strict/") == "200"
    status, headers = mesh.headers("registry", "http://198.19.0.1/")
    assert status.split()[1] == "502" and headers["x-weft-error"] == "registry-only"
    mesh.exec("registry", "sh", "-c", "echo not http | timeout 5 nc -N 198.19.0.1 22", check=False)
    assert mesh.until(lambda: "connection refused" in mesh.sidecar_log("registry")), mesh.sidecar_log("registry")


def test_registry_only_on_a_namespace_holds_for_its_pods_while_they_run(mesh):
    def outcome(name):
        # Nobody answers there: who may go there waits in vain.
        answer = mesh.exec(name, "curl", "-s", "-m", "1", "-o", "/dev/null", "-D", "-", "http://198.19.0.1/", check=False)
        return "refused" if "x-weft-error: registry-only" in answer.stdout else "let through" if not answer.stdout else answer.stdout
    assert outcome("client") == "let through"
    mesh.annotate("namespace/default", "weft.mesh/outbound-policy=registry-only")
    try:
        assert mesh.until(lambda: outcome("client") == "refused", 15)
        assert mesh.code("client", "http://strict/") == "200"
        for command in (["config", "client"], ["explain", "--from", "default/client", "--to", "198.19.0.1:80"]):
            told = subprocess.run([str(WEFT), *command, "--name", mesh.name], capture_output=True, text=True, timeout=60)
            assert "registry-only" in told.stdout, told.stdout + told.stderr
    finally:
        mesh.annotate("namespace/default", "weft.mesh/outbound-policy-")
    assert mesh.until(lambda: outcome("client") == "let through", 15)
