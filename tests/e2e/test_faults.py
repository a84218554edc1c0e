"""Bad input and dead neighbours: a clear message, nothing broken, nothing left behind."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from mesh import WEFT, Mesh, deployment, namespace, pod, service, service_account
from test_traffic import sidecar_pid


def objects():
    return [namespace("default", mtls="strict"), namespace("legacy", inject=False), service_account("client"),
            pod("client", account="client"), service_account("app"),
            deployment("app", "http-echo", replicas=2, env={"TEXT": "app"}), service("app"), service("other", selector={"app": "app"})]


@pytest.fixture(scope="module")
def mesh():
    with Mesh(objects()) as up:
        yield up


def test_garbage_on_both_ports_breaks_nothing(mesh):
    address = mesh.pods("app")[0]["address"]
    for target in (f"{address} 15006", f"{address} 8080", f"{address} 15001"):
        mesh.exec("client", "sh", "-c", f"head -c 100000 /dev/urandom | timeout 5 nc -N {target} >/dev/null", check=False)
        mesh.node("sh", "-c", f"head -c 100000 /dev/urandom | timeout 5 nc -N {target} >/dev/null", check=False)
    mesh.exec("client", "sh", "-c", "head -c 100000 /dev/urandom | timeout 5 nc -N 127.0.0.1 15001 >/dev/null", check=False)
    assert mesh.curl("client", "http://app/") == "app"


def test_status_lists_what_a_script_needs(mesh):
    for entry in (p for p in mesh.status() if p["namespace"] == "default"):
        assert entry["ready"] is True
        assert entry["spiffe_id"] == f"spiffe://cluster.local/ns/default/sa/{entry['service_account']}"
        assert entry["certificate_expires"] and entry["address"] and entry["name"]


def test_a_second_up_of_the_same_name_is_refused(mesh):
    done = subprocess.run([str(WEFT), "local", "up", "--name", mesh.name, "-f", str(mesh.manifest)], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode != 0
    assert mesh.name in done.stderr
    assert mesh.curl("client", "http://app/") == "app"


def test_a_killed_discovery_leaves_what_is_known_working(mesh):
    assert mesh.curl("client", "http://app/") == "app"
    mesh.node("pkill", "-9", "-x", "weft-discovery")
    for _ in range(20):
        assert mesh.curl("client", "http://app/") == "app"
    # It comes back by itself, and changes arrive again.
    def denied():
        mesh.annotate("service/app", "weft.mesh/deny=from=default/client")
        return mesh.code("client", "http://app/") == "403"
    assert mesh.until(denied, 20)
    mesh.annotate("service/app", "weft.mesh/deny-")
    assert mesh.until(lambda: mesh.code("client", "http://app/") == "200", 10)


def test_a_killed_ca_leaves_certificates_working_and_renewal_catches_up(mesh):
    mesh.node("pkill", "-9", "-x", "weft-ca")
    assert mesh.curl("client", "http://app/") == "app"
    serial = lambda: json.loads(mesh.admin("client", "/certificates"))[0]["serial"]
    before = serial()
    assert mesh.until(lambda: mesh.exec("client", "weft-sidecar", "renew", container="weft-sidecar", check=False).returncode == 0
                      and (time.sleep(1) or serial() != before), 30)
    assert mesh.curl("client", "http://app/") == "app"


@contextlib.contextmanager
def without(mesh, component):
    """With no process of a part of the control plane, until the end of the block."""
    def count():
        return len([p for p in mesh.status() if p.get("deployment") == component])
    mesh.weft("scale", "-n", "weft-system", f"deployment/{component}", "0")
    assert mesh.until(lambda: count() == 0, 20)
    try:
        yield
    finally:
        mesh.weft("scale", "-n", "weft-system", f"deployment/{component}", "1")
        mesh.wait_ready()


def waiting_for(mesh, name):
    return next((p.get("waiting_for", "") for p in mesh.status() if p["name"].startswith(name) and not p["ready"]), "")


def test_a_sidecar_that_restarts_without_discovery_serves_what_it_knew_and_guesses_nothing(mesh):
    assert mesh.curl("client", "http://app/") == "app"
    with without(mesh, "weft-discovery"):
        os.kill(sidecar_pid(mesh, "client"), signal.SIGKILL)
        assert mesh.until(lambda: mesh.code("client", "http://app/") == "200", 20), mesh.sidecar_log("client")
        status, headers = mesh.headers("client", "http://other/")
        assert status.split()[1] == "503" and headers["x-weft-error"] == "no-config"
    assert mesh.until(lambda: mesh.code("client", "http://other/") == "200", 20)


def test_without_the_ca_what_runs_goes_on_and_what_is_new_waits_and_says_for_what(mesh):
    with without(mesh, "weft-ca"):
        mesh.exec("client", "weft-sidecar", "renew", container="weft-sidecar", check=False)
        mesh.weft("scale", "deployment/app", "3")
        assert mesh.until(lambda: "no certificate yet" in waiting_for(mesh, "app-") and "weft-ca" in waiting_for(mesh, "app-"), 20), \
            waiting_for(mesh, "app-")
        for _ in range(20):
            assert mesh.curl("client", "http://app/") == "app"
    mesh.weft("scale", "deployment/app", "2")
    assert mesh.until(lambda: len(mesh.pods("app")) == 2, 20)


def test_without_the_injector_labelled_pods_wait_and_others_start(mesh, tmp_path):
    manifest = tmp_path / "pods.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod("late", account="client"), pod("old", ns="legacy")]}))
    with without(mesh, "weft-injector"):
        mesh.weft("apply", "-f", str(manifest))
        assert mesh.until(lambda: any(p["name"] == "old" and p["ready"] for p in mesh.status()), 20)
        assert mesh.until(lambda: "injector" in waiting_for(mesh, "late"), 20), waiting_for(mesh, "late")
        assert not next(p for p in mesh.status() if p["name"] == "late")["injected"]
    assert next(p for p in mesh.status() if p["name"] == "late")["injected"]
    for name in (("late",), ("old", "-n", "legacy")):
        mesh.weft("delete-pod", *name, "--grace", "1")


def test_a_killed_sidecar_comes_back_and_nothing_passes_it_meanwhile(mesh):
    victim = mesh.pods("app")[0]
    pid = sidecar_pid(mesh, victim["name"])
    os.kill(pid, signal.SIGKILL)
    # The other replica answers; not one request goes past a sidecar in plaintext (strict would not answer it).
    for _ in range(20):
        assert mesh.code("client", "http://app/") == "200", mesh.sidecar_log("client") + mesh.log()
    assert mesh.until(lambda: all(p["ready"] for p in mesh.pods("app")), 20)
    assert mesh.curl("client", f"http://{victim['address']}:8080/") == "app"


def test_delete_pod_loses_no_request(mesh):
    """preStop hooks, then the application, then the sidecar; callers go to the other replica."""
    load = subprocess.Popen([str(WEFT), "local", "exec", "--name", mesh.name, "client", "--", "curl", "-s", "-m", "30", "--rate",
                             "200/s", "-o", "/dev/null", "-w", "%{http_code}\n", "http://app/?[1-800]"],
                            stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    mesh.weft("delete-pod", mesh.pods("app")[0]["name"])
    codes = [code for code in load.communicate(timeout=60)[0].split() if len(code) == 3]
    assert codes == ["200"] * 800


def test_an_application_may_call_out_until_it_has_ended(mesh, tmp_path):
    """The preStop hook, SIGTERM to the application, and its sidecar only once that is gone."""
    told = tmp_path / "told"
    script = f"trap 'echo bye to $(curl -s -m 10 http://app/) >>{told}; exit 0' TERM; while :; do sleep 0.1; done"
    container = {"name": "app", "image": "any", "command": ["sh", "-c", script],
                 "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", f"echo hook >>{told}"]}}}}
    manifest = tmp_path / "polite.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "polite", "namespace": "default"},
                                    "spec": {"serviceAccountName": "client", "containers": [container]}}))
    mesh.weft("apply", "-f", str(manifest))
    mesh.wait_ready()
    mesh.weft("delete-pod", "polite")
    assert told.read_text() == "hook\nbye to app\n"


def test_a_yaml_error_names_file_line_and_column(tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("apiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec:\n  ports: [ { port: eighty } ]\n")
    done = subprocess.run([str(WEFT), "local", "up", "--name", f"yaml-{os.getpid()}", "-f", str(broken)], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode != 0
    assert "broken.yaml:5:" in done.stderr and "port" in done.stderr


NAMESPACES = ("net", "pid", "mnt", "ipc", "uts")


def read(path):
    try:
        return pathlib.Path(path).read_bytes().decode(errors="replace")
    except OSError:
        return ""


def processes():
    """{process id: (parent, its namespaces)} of the whole machine."""
    found = {}
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        stat = read(folder / "stat").rpartition(")")[2].split()
        try:
            held = {os.readlink(folder / "ns" / kind) for kind in NAMESPACES}
        except OSError:
            continue
        if stat:
            found[int(folder.name)] = (int(stat[1]), held)
    return found


def namespaces_of(ancestor):
    """What a process and all its descendants live in, but for what this test lives in as well."""
    listed = processes()
    family, grown = {ancestor}, True
    while grown:
        more = {pid for pid, (parent, _) in listed.items() if parent in family} - family
        family, grown = family | more, bool(more)
    return set().union(*(listed[pid][1] for pid in family if pid in listed)) - listed[os.getpid()][1]


def left_over(name, namespaces):
    """What a mesh must not leave: a process in any of its namespaces, or with its name, and mounts."""
    left = [f"{pid} {read(f'/proc/{pid}/cmdline')}" for pid, (_, held) in processes().items()
            if held & namespaces or name in read(f"/proc/{pid}/cmdline")]
    return left + [line for line in read("/proc/mounts").splitlines() if name in line]


def machine_state():
    """Rules, named namespaces and devices of the machine itself, without counters."""
    commands = "iptables-save; ip6tables-save; ip netns list; ip -brief link"
    text = subprocess.run(commands, shell=True, capture_output=True, text=True).stdout
    return [line for line in text.splitlines() if not line.startswith(("#", ":"))]


@pytest.mark.parametrize("how", ["down", "SIGINT", "SIGKILL"])
def test_nothing_is_left_behind_and_the_next_up_works(how):
    before = machine_state()
    with Mesh(objects()) as mesh:
        assert mesh.curl("client", "http://app/") == "app"
        namespaces = namespaces_of(mesh.process.pid)
        # The node's own and one network a pod, one mount namespace a container.
        assert len([name for name in namespaces if name.startswith("net:")]) == 1 + len(mesh.status())
        assert len([name for name in namespaces if name.startswith("mnt:")]) > len(mesh.status())
        if how == "down":
            mesh.weft("down", timeout=30)
        else:
            mesh.process.send_signal(getattr(signal, how))
        mesh.process.wait(20)
        assert mesh.until(lambda: not left_over(mesh.name, namespaces), 10), left_over(mesh.name, namespaces)
        assert machine_state() == before
        mesh.start()
        assert mesh.curl("client", "http://app/") == "app"
    assert not pathlib.Path(f"/run/weft/local/{mesh.name}").exists()
