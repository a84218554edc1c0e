"""What `weft local` stands in for: cluster DNS, kube-proxy, volumes, and the verbs."""
import json
import re
import subprocess

import pytest

from mesh import ROOT, WEFT, Mesh, deployment, namespace, pod, service, service_account


TALKER = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "talker", "namespace": "legacy"},
          "spec": {"containers": [{"name": "app", "image": "any", "command": ["sh", "-c", "while :; do echo tick; sleep 0.1; done"]}]}}


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default"), namespace("legacy", inject=False), pod("old", ns="legacy"),
               service_account("client"), pod("client", account="client"), service_account("app"),
               deployment("app", "http-echo", replicas=2, env={"TEXT": "app"}), service("app"),
               service("headless", selector={"app": "app"}, clusterIP="None"),
               service("alias", type="ExternalName", externalName="app.default.svc.cluster.local"),
               service_account("plain", ns="legacy"), deployment("plain", "http-echo", ns="legacy", env={"TEXT": "plain"}),
               service("plain", ns="legacy"), TALKER,
               service_account("front"), deployment("front", "http-echo", env={"TEXT": "front", "NEXT": "heads"}), service("front"),
               service_account("heads"), deployment("heads", "python", env={"APP": "heads"}), service("heads")]
    with Mesh(objects) as up:
        yield up


@pytest.mark.parametrize("name", ["app", "app.default", "app.default.svc", "app.default.svc.cluster.local", "alias"])
def test_every_name_of_a_service_leads_to_it(mesh, name):
    assert mesh.curl("client", f"http://{name}/") == "app"


def test_a_headless_service_is_its_pods(mesh):
    found = {line.split()[0] for line in mesh.exec("client", "getent", "ahostsv4", "headless").stdout.splitlines()}
    assert found == {p["address"] for p in mesh.pods("app")}
    assert mesh.curl("client", "http://headless:8080/") == "app"


def test_an_unknown_name_does_not_exist(mesh):
    assert mesh.exec("client", "getent", "hosts", "nobody", check=False).returncode == 2


def test_a_pod_without_sidecar_reaches_services_its_own_included(mesh):
    """The node's address translation; a pod that comes back to itself is masqueraded (hairpin)."""
    assert mesh.curl("old", "http://plain/", ns="legacy") == "plain"
    assert mesh.curl("old", "http://app.default/", ns="legacy") == "app"
    assert mesh.curl(mesh.pod_of("plain"), "http://plain/", ns="legacy") == "plain"


def test_no_packet_can_leave_the_machine(mesh):
    routes = mesh.node("sh", "-c", "ip route; ip -6 route; ip -brief link").stdout
    assert "default" not in routes
    assert all(line.split("@")[0].startswith(("lo", "pod")) for line in mesh.node("ip", "-brief", "link").stdout.splitlines())


TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=1", "b3": "1-2-1",
         "x-b3-traceid": "463ac35c9f6413ad48485a3953bb6124", "x-request-id": "of-the-caller"}


def test_a_trace_goes_on_through_the_applications_of_a_chain(mesh):
    options = [word for name, value in TRACE.items() for word in ("-H", f"{name}: {value}")]
    head = mesh.curl("client", *options, "http://front/")
    lines = dict(line.split(": ", 1) for line in head.lower().splitlines() if ": " in line)
    assert {name: lines.get(name) for name in TRACE} == TRACE
    # Who asks is said by the mesh: the one before, and not the first.
    assert lines["x-forwarded-client-cert"].endswith("uri=spiffe://cluster.local/ns/default/sa/front")


def test_only_the_sidecar_has_its_token_its_state_and_its_socket(mesh):
    mounted = mesh.exec("client", "cat", "/proc/self/mountinfo", container="weft-sidecar").stdout
    mine = {line.split()[4] for line in mounted.splitlines()}
    mine = {path for path in mine if "weft" in path and not path.startswith("/run/weft/bin")}
    assert any("token" in path for path in mine), mine
    # One of them is the node's own folder with the CA's key, which is covered in every pod.
    for path in mine:
        assert mesh.exec("client", "ls", path, check=False).returncode != 0, path


def test_exec_passes_output_and_exit_code_on(mesh):
    done = mesh.exec("client", "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    done = mesh.exec("nobody", "true", check=False)
    assert done.returncode != 0 and "no pod default/nobody" in done.stderr
    done = mesh.exec("client", "true", container="what", check=False)
    assert done.returncode != 0 and "it has app" in done.stderr


def test_logs_follow_what_comes(mesh):
    with subprocess.Popen([str(WEFT), "local", "logs", "--name", mesh.name, "-n", "legacy", "talker", "-f"],
                          stdout=subprocess.PIPE, text=True) as follow:
        try:
            assert [next(follow.stdout) for _ in range(10)] == ["tick\n"] * 10
        finally:
            follow.kill()
    assert mesh.weft("logs", "-n", "legacy", "talker").stdout.startswith("tick\ntick\n")


def test_scale_and_a_new_template_keep_the_service_answering(mesh):
    mesh.weft("scale", "deployment/app", "3")
    assert mesh.until(lambda: len([p for p in mesh.pods("app") if p["ready"]]) == 3, 30)
    before = {p["name"] for p in mesh.pods("app")}
    listed = next(o for o in mesh.objects if o["kind"] == "Deployment" and o["metadata"]["name"] == "app")
    changed = json.loads(json.dumps(listed))
    changed["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "app"
    changed["spec"]["template"]["metadata"]["annotations"]["roll-out"] = "2"
    file = mesh.folder / "changed.json"
    file.write_text(json.dumps(changed))
    assert "deployment/app configured" in mesh.weft("apply", "-f", str(file)).stdout

    def rolled():
        assert mesh.code("client", "http://app/") == "200"
        now = mesh.pods("app")
        return len(now) == 2 and all(p["ready"] for p in now) and not before & {p["name"] for p in now}
    assert mesh.until(rolled, 60), mesh.weft("status").stdout


def test_two_meshes_run_beside_each_other(mesh):
    with Mesh([namespace("default"), pod("lonely")]) as other:
        assert {p["name"] for p in other.pods() if p["namespace"] == "default"} == {"lonely"}
        assert "lonely" not in {p["name"] for p in mesh.pods()}
        assert mesh.curl("client", "http://app/") == "app"
    assert mesh.curl("client", "http://app/") == "app"


def test_the_first_steps_of_the_documentation_are_true():
    text = (ROOT / "docs/local.md").read_text()
    manifest = re.search(r"```yaml\n(.*?)```", text, re.S).group(1)
    images = dict(re.findall(r"--image (\w+)='([^']+)'", text))
    with Mesh([], images=images) as first:
        file = first.folder / "shop.yaml"
        file.write_text(manifest)
        first.weft("apply", "-f", str(file))
        first.weft("status", "--wait", "60", timeout=90)
        assert first.code("client", "http://web/") == "200"
        status, headers = first.headers("client", "-X", "DELETE", "http://web/")
        assert status.split()[1] == "403" and headers["x-weft-error"] == "rbac-denied"

        def denied():
            return [line["source_identity"] for p in first.pods("web") for line in first.access_log(p["name"])
                    if line.get("reason") == "rbac-denied"]
        assert first.until(lambda: denied() == ["spiffe://cluster.local/ns/default/sa/client"])


def test_a_verb_without_a_mesh_says_so():
    done = subprocess.run([str(WEFT), "local", "status", "--name", "not-there"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "not-there" in done.stderr and "weft local up" in done.stderr, done.stderr
